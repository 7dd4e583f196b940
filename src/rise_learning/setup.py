"""ament_python build of rise_learning; launch/ is a link to the top level of the repository."""

import os

from setuptools import find_packages, setup

PACKAGE = "rise_learning"
LAUNCH = ("policy.launch.py", "evaluate.launch.py")  # the others are installed by rise_robot

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    package_data={PACKAGE: ["base/*/*.safetensors", "base/*/*.json"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", [f"launch/{name}" for name in LAUNCH if os.path.exists(f"launch/{name}")]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="RISE for ROS 2 maintainers",
    maintainer_email="maintainers@example.org",
    description="Learning for RISE: data, policy, self-improvement in imagination, evaluation and deployment.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "bench = rise_learning.bench:main",
            "compare = rise_learning.compare:main",
            "demo = rise_learning.demo:main",
            "evaluate = rise_learning.evaluate:main",
            "footprint = rise_learning.footprint:main",
            "evaluator = rise_learning.nodes.evaluator:main",
            "evaluate_chains = rise_learning.evaluate_chains:main",
            "evaluate_leading = rise_learning.evaluate_leading:main",
            "evaluate_variants = rise_learning.evaluate_variants:main",
            "evaluate_one_step = rise_learning.evaluate_one_step:main",
            "evaluate_world_model = rise_learning.evaluate_world_model:main",
            "judge = rise_learning.judge:main",
            "imagination = rise_learning.nodes.imagination:main",
            "import_episodes = rise_learning.import_episodes:main",
            "offline_report = rise_learning.offline_report:main",
            "policy = rise_learning.nodes.policy:main",
            "report = rise_learning.report:main",
            "self_improver = rise_learning.nodes.self_improver:main",
            "self_improve = rise_learning.self_improve:main",
            "ship_base = rise_learning.ship_base:main",
            "train_dynamics = rise_learning.train_dynamics:main",
            "train_policy = rise_learning.train_policy:main",
            "train_value = rise_learning.train_value:main",
            "world_model_table = rise_learning.world_model_table:main",
        ],
    },
)

"""ament_python build of rise_robot; config/ and launch/ are links to the top level of the repository."""

import os

from setuptools import find_packages, setup

PACKAGE = "rise_robot"
LAUNCH_OF_OTHERS = {"policy.launch.py", "evaluate.launch.py"}  # installed by rise_learning


def tree(folder: str, skip: frozenset[str] | set[str] = frozenset()) -> list[tuple[str, list[str]]]:
    """`data_files` entries that install every file below `folder` into the package's share directory."""
    entries = []
    for root, _, names in os.walk(folder, followlinks=True):
        files = [os.path.join(root, name) for name in sorted(names) if name not in skip and not name.endswith(".pyc")]
        if files:
            entries.append((os.path.join("share", PACKAGE, root), files))
    return entries


setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *tree("config"),
        *tree("launch", skip=LAUNCH_OF_OTHERS),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="RISE for ROS 2 maintainers",
    maintainer_email="maintainers@example.org",
    description="The bimanual robot of RISE: contract, simulation, control, recording and bringup.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "bringup = rise_robot.bringup:main",
            "cameras = rise_robot.nodes.cameras:main",
            "check_bag = rise_robot.bag.check:main",
            "collect = rise_robot.collect:main",
            "description = rise_robot.description:main",
            "emulated_piper = rise_robot.emulated_piper:main",
            "faults = rise_robot.faults:main",
            "lateness_probe = rise_robot.nodes.lateness_probe:main",
            "lifecycle_manager = rise_robot.nodes.lifecycle_manager:main",
            "motion_check = rise_robot.nodes.motion_check:main",
            "piper_driver = rise_robot.nodes.piper_driver:main",
            "recorder = rise_robot.nodes.recorder:main",
            "recover_bag = rise_robot.bag.recover:main",
            "simulated_robot = rise_robot.nodes.simulated_robot:main",
            "teleoperation = rise_robot.nodes.teleoperation:main",
            "trajectory_controller = rise_robot.nodes.trajectory_controller:main",
        ],
    },
)

"""ament_python build of rise_worldmodel."""

from setuptools import find_packages, setup

PACKAGE = "rise_worldmodel"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(exclude=["test", "test.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    zip_safe=False,
    maintainer="RISE for ROS 2 maintainers",
    maintainer_email="maintainers@example.org",
    description="The compositional world model of RISE: video dynamics and value model. Needs neither ROS nor a robot.",
    license="Apache-2.0",
)

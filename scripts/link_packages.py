"""Let ROS tools find the Python packages of an editable install, as `colcon build --symlink-install` would.

pip's editable install makes the packages importable, but installs no ament marker, launch files, configuration or
`lib/<package>/` executables, which `ros2 launch` and `ros2 run` look for. This adds them to this environment as links.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
PACKAGES = ("rise_robot", "rise_worldmodel", "rise_learning")


def link(target: Path, place: Path) -> None:
    """Make `place` a link to `target`, replacing what was there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def link_package(package: str, prefix: Path) -> int:
    """Link marker, package.xml, config/, launch/ and executables of one package; returns the number of executables."""
    source, share = SOURCE / package, prefix / "share" / package
    shutil.rmtree(share, ignore_errors=True)
    shutil.rmtree(prefix / "lib" / package, ignore_errors=True)
    link(source / "resource" / package, prefix / "share/ament_index/resource_index/packages" / package)
    link(source / "package.xml", share / "package.xml")
    if (source / "config").is_dir():
        link((source / "config").resolve(), share / "config")
    for file in sorted((source / "launch").resolve().glob("*.launch.py")):
        link(file, share / "launch" / file.name)  # each one: ros2 launch does not look into linked folders
    scripts = distribution(package).entry_points.select(group="console_scripts")
    for script in scripts:
        link(prefix / "bin" / script.name, prefix / "lib" / package / script.name)
    return len(scripts)


def main() -> None:
    """Link every package of the workspace into this interpreter's environment."""
    prefix = Path(sys.prefix)
    for package in PACKAGES:
        print(f"linked {package} into {prefix} with {link_package(package, prefix)} executables")


if __name__ == "__main__":
    main()

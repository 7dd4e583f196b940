"""Ament-style checks of the packages under src/: what `ament_xmllint`, `catkin_lint` and ROS reviewers look at.

Prints one line per problem and exits with 1 if there is any. Needs no ROS.
"""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LICENSE = "Apache-2.0"
# Import names that a package.xml must declare; anything that ends in _msgs or _srvs is one as well.
ROS_MODULES = {
    "rclpy",
    "builtin_interfaces",
    "rcl_interfaces",
    "ament_index_python",
    "launch",
    "launch_ros",
    "std_srvs",
}
RISE_MODULES = {"rise_msgs", "rise_robot", "rise_worldmodel", "rise_learning"}


def package_xml_problems(package: Path) -> list[str]:
    """Format, name, licence, maintainer and version of package.xml."""
    path = package / "package.xml"
    if not path.is_file():
        return [f"{package.name}: no package.xml"]
    root = ElementTree.parse(path).getroot()
    problems = []
    if root.get("format") != "3":
        problems.append(f"{path}: format is {root.get('format')}, expected 3 (REP-149)")
    for tag, expected in (("name", package.name), ("license", LICENSE)):
        if root.findtext(tag) != expected:
            problems.append(f"{path}: <{tag}> is {root.findtext(tag)!r}, expected {expected!r}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", root.findtext("version") or ""):
        problems.append(f"{path}: <version> is {root.findtext('version')!r}, expected three numbers")
    if not (root.findtext("description") or "").strip().endswith("."):
        problems.append(f"{path}: <description> must be a sentence")
    maintainer = root.find("maintainer")
    if maintainer is None or "@" not in maintainer.get("email", ""):
        problems.append(f"{path}: no <maintainer email=...>")
    return problems


def changelog_problems(package: Path) -> list[str]:
    """CHANGELOG.rst exists, names the package and has a section for the version."""
    path = package / "CHANGELOG.rst"
    if not path.is_file():
        return [f"{package.name}: no CHANGELOG.rst"]
    text = path.read_text()
    version = ElementTree.parse(package / "package.xml").getroot().findtext("version")
    problems = []
    if f"Changelog for package {package.name}" not in text:
        problems.append(f"{path}: no title 'Changelog for package {package.name}'")
    if not re.search(rf"^({re.escape(version or '')} \(|Forthcoming)", text, re.MULTILINE):
        problems.append(f"{path}: no section for version {version}")
    return problems


def ament_python_problems(package: Path) -> list[str]:
    """Resource marker, setup.cfg and the version in setup.py of an ament_python package."""
    name, problems = package.name, []
    if not (package / "resource" / name).is_file():
        problems.append(f"{package}: no resource/{name} marker")
    config = ConfigParser(interpolation=None)
    config.read(package / "setup.cfg")
    expected = f"$base/lib/{name}"
    for section, option in (("develop", "script_dir"), ("install", "install_scripts")):
        if config.get(section, option, fallback=None) != expected:
            problems.append(f"{package}/setup.cfg: [{section}] {option} must be {expected}")
    version = ElementTree.parse(package / "package.xml").getroot().findtext("version")
    if f'version="{version}"' not in (package / "setup.py").read_text():
        problems.append(f"{package}/setup.py: version differs from package.xml's {version}")
    return problems


def imported_modules(path: Path) -> set[str]:
    """Top-level names of every import in a Python file, those inside functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def dependency_problems(package: Path) -> list[str]:
    """Every ROS or RISE package that the code imports is declared, and every declared one of ours is real."""
    root = ElementTree.parse(package / "package.xml").getroot()
    declared = {element.text for element in root if element.tag.endswith("depend")}
    used = set().union(*(imported_modules(path) for path in (package / package.name).rglob("*.py")))
    ros = {name for name in used if name in ROS_MODULES | RISE_MODULES or name.endswith(("_msgs", "_srvs"))}
    return [
        f"{package}/package.xml: imports {name} without declaring it"
        for name in sorted(ros - declared - {package.name})
    ]


def problems(source: Path) -> list[str]:
    """Every problem of every package below `source`."""
    found = []
    packages = sorted(path.parent for path in source.glob("*/package.xml"))
    for package in packages:
        found += package_xml_problems(package) + changelog_problems(package)
        if (package / "setup.py").is_file():
            found += ament_python_problems(package) + dependency_problems(package)
    versions = {p.name: ElementTree.parse(p / "package.xml").getroot().findtext("version") for p in packages}
    if len(set(versions.values())) > 1:
        found.append(f"package versions differ: {versions}")
    return found


def main() -> int:
    """Check the packages of this repository."""
    found = problems(ROOT / "src")
    print("\n".join(found) or "packages: nothing to complain about")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The one-way doors between the packages, read from every import and proven by importing without ROS."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
PACKAGES = ("rise_robot", "rise_worldmodel", "rise_learning")
LEARNING_LIBRARIES = {"torch", "diffusers", "transformers", "accelerate", "safetensors", "torchmetrics"}
FORBIDDEN = {
    "rise_robot": LEARNING_LIBRARIES | {"rise_worldmodel", "rise_learning"},
    "rise_worldmodel": {"rclpy", "rosbags", "mujoco", "rise_msgs", "rise_robot", "rise_learning"},
    "rise_learning": set(),
}
# Where ROS may appear: nodes, and what starts or converts for them.
ROS_PLACES = ("nodes/",)
# What a training machine works with: it has bags, and no ROS.
ROS_FREE = (
    "rise_robot.core",
    "rise_robot.bag",
    "rise_robot.hardware",
    "rise_robot.sim",
    "rise_worldmodel",
    "rise_learning",
)


def _modules(package: str) -> list[Path]:
    return sorted((SOURCE / package / package).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Full dotted names of every absolute import, those inside functions and TYPE_CHECKING included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module)
    return names


def _is_ros(name: str) -> bool:
    top = name.split(".")[0]
    return top in {"rclpy", "builtin_interfaces", "ament_index_python"} or top.endswith(("_msgs", "_srvs"))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_goes_the_wrong_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in _modules(package)
        for name in sorted(_imports(path))
        if name.split(".")[0] in FORBIDDEN[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_ros_is_imported_only_by_nodes(package: str) -> None:
    wrong = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in _modules(package)
        for name in sorted(_imports(path))
        if _is_ros(name) and not path.relative_to(SOURCE / package / package).as_posix().startswith(ROS_PLACES)
    ]
    assert not wrong, "\n".join(wrong)


def test_everything_but_nodes_imports_on_a_machine_without_ros() -> None:
    names = []
    for package in PACKAGES:
        for path in _modules(package):
            name = ".".join(path.relative_to(SOURCE / package).with_suffix("").parts).removesuffix(".__init__")
            if name.startswith(ROS_FREE) and ".nodes" not in name and not name.endswith("__main__"):
                names.append(name)
    program = f"""
        import importlib, sys

        class NoRos:
            def find_spec(self, name, path=None, target=None):
                top = name.split(".")[0]
                if top in {{"rclpy", "builtin_interfaces", "ament_index_python"}} or top.endswith(("_msgs", "_srvs")):
                    raise ModuleNotFoundError(f"No module named {{name!r}} (a machine without ROS)", name=name)

        sys.meta_path.insert(0, NoRos())
        sys.path[:0] = {[str(SOURCE / package) for package in PACKAGES]!r}
        for name in {names!r}:
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                print(f"{{name}}: {{error}}")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout == ""

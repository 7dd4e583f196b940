"""One process of a bringup, as data: bringup.py starts it as a module, the launch files as an executable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rise_robot.core.contract import config_path


@dataclass(frozen=True)
class NodeSpec:
    """One process.

    Attributes:
        package: of the executable.
        executable: console script of the package; the module is `package.nodes.executable`, or `package.executable`
            where it is no ROS node.
        parameters: on top of the parameter file.
        file: parameter file of config/, <executable>.yaml where empty; None for programs without one.
        arguments: of the command line.
        remappings: pairs of names.
        ends: its end is no reason to end everything.
        name: of the node, where it is not the one that it gives itself.
        managed: a lifecycle node that lifecycle_manager brings up and takes down.
        grace_s: that it may take to end; an arm that parks takes its time.
        terminal: it reads the keys that are typed in the terminal.
    """

    package: str
    executable: str
    parameters: dict[str, Any]
    file: str | None = ""
    arguments: tuple[str, ...] = ()
    remappings: tuple[tuple[str, str], ...] = ()
    ends: bool = False
    name: str = ""
    terminal: bool = False
    managed: bool = False
    grace_s: float = 8.0

    @property
    def module(self) -> str:
        place = "" if self.file is None else ".nodes"
        return f"{self.package}{place}.{self.executable}"

    @property
    def parameter_files(self) -> tuple[Path, ...]:
        """None or one."""
        return () if self.file is None else (config_path(self.file or f"{self.executable}.yaml"),)

"""Start a robot with its controller: what launch/bringup.launch.py starts, without launch.

    python -m rise_robot.bringup --hardware sim --task brick_sorting
    python -m rise_robot.bringup --contract contract_tiny.yaml --episodes 5 --record bags/live

Ctrl-C ends all nodes, exit code 0. A node that fails ends all, exit code 1; when the episodes asked for are done, all
end with 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
from typing import Any

from rise_robot.core.errors import LaunchError, RiseRobotError
from rise_robot.node_table import BringupOptions, NodeSpec, bringup_nodes
from rise_robot.processes import PARENT_ENV, ProcessGroup
from rise_robot.stop_signals import StopRequest, ask_on_signals


def command_line(node: NodeSpec, namespace: str = "") -> list[str]:
    """How to start a node with this Python."""
    words = [sys.executable, "-m", node.module, *node.arguments]
    if not node.parameter_files:
        return words
    words += ["--ros-args", "--params-file", str(node.parameter_files[0])]
    for name, value in node.parameters.items():
        words += ["-p", f"{name}:={json.dumps(value)}"]
    for old, new in (*node.remappings, *((("__node", node.name),) if node.name else ())):
        words += ["-r", f"{old}:={new}"]
    if namespace:
        words += ["-r", f"__ns:=/{namespace.strip('/')}"]
    return words


def require_own(nodes: tuple[NodeSpec, ...]) -> None:
    """Raise LaunchError naming nodes that only an apt install has: `ros2 launch` starts them, this program does not."""
    foreign = [node.executable for node in nodes if not node.package.startswith("rise_")]
    if foreign:
        raise LaunchError(
            f"{', '.join(foreign)}: not of this project; ros2 launch rise_robot bringup.launch.py starts them"
        )


def supervise(nodes: tuple[NodeSpec, ...], namespace: str = "") -> int:
    """Run the nodes until one ends or a signal comes; the exit code."""
    stop = StopRequest()
    ask_on_signals(stop, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    group = ProcessGroup()
    environment = {PARENT_ENV: str(os.getpid()), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        for node in nodes:
            name = node.name or node.executable
            group.start(name, command_line(node, namespace), environment, terminal=node.terminal, grace_s=node.grace_s)
        code = group.wait(stop)
    finally:
        failures = group.stop(stop.again)
    for failure in failures:
        group.say("bringup", failure)
    return 1 if code or failures else 0


def parse(args: list[str] | None = None) -> BringupOptions:
    """Options of the command line: `--name value`, or `name:=value` as for ros2 launch."""
    words = sys.argv[1:] if args is None else args
    words = [part for word in words for part in _dashed(word)]
    description, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "rise_robot.bringup", description=description, epilog=examples, formatter_class=_Formatter
    )
    for option in dataclasses.fields(BringupOptions):
        choices = list(option.metadata["choices"]) or None
        text = f"{option.metadata['help']} (default: {_text(option.default) or 'none'})"
        parser.add_argument(f"--{option.name.replace('_', '-')}", dest=option.name, choices=choices, help=text)
    given = {name: value for name, value in vars(parser.parse_args(words)).items() if value is not None}
    return BringupOptions.from_strings(given)


def main(args: list[str] | None = None) -> int:
    try:
        options = parse(args)
        nodes = bringup_nodes(options)
        require_own(nodes)
        for node in nodes:
            _ = node.parameter_files  # a missing one is said before anything has started
    except RiseRobotError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return supervise(nodes, options.namespace)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=110)


def _dashed(word: str) -> list[str]:
    name, assigned, value = word.partition(":=")
    return [f"--{name.replace('_', '-')}", value] if assigned else [word]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())

"""What every node of this project does the same way: parameters, spinning, signals, exit codes, diagnostics."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from rise_robot.core.contract import Contract, contract_path
from rise_robot.core.errors import ContractError
from rise_robot.core.scheduling import ask_for_realtime as ask_for_realtime
from rise_robot.processes import PARENT_ENV, WHERE_SIGNAL
from rise_robot.stop_signals import StopRequest, ask_on_signals

STDERR = 2

T = TypeVar("T", bool, int, float, str)


class Runnable(Protocol):
    """A node whose work runs in the main thread while callbacks are served in another one."""

    node: Node

    def run(self, stop: StopRequest) -> None:
        """Work until `stop` is set."""

    def close(self) -> None:
        """Send the last safe command and release what is held; called once, also after a failure."""


def declare(
    node: Node,
    name: str,
    default: T,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    read_only: bool = True,
) -> T:
    """Declare a parameter and return its value; the type is that of the default."""
    descriptor = ParameterDescriptor(description=description, read_only=read_only)
    if low is not None and high is not None:
        if isinstance(default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return node.declare_parameter(name, default, descriptor).value


def declare_contract(node: Node) -> Contract:
    """The contract of the parameter `contract`: a path, or the name of a file of the installed configuration."""
    text = declare(node, "contract", "contract.yaml", "Contract: a path, or a file name of the installed config/.")
    return Contract.load(contract_path(text))


def reject_unknown_parameters(node: Node) -> None:
    """Raise ContractError naming parameters that were given and never declared: a typing error must not pass."""
    unknown = sorted(name for name in node._parameter_overrides if not node.has_parameter(name))
    if unknown:
        known = sorted(name for name in node._parameters if "qos" not in name)
        raise ContractError(f"{node.get_name()}: unknown parameters {unknown}; known are {known}")


def run(make: Callable[[], Runnable], args: list[str] | None = None, *, threads: int = 1, realtime: str = "") -> int:
    """Run a node until it ends, SIGINT or SIGTERM; return the exit code.

    Any number of signals is one request to stop and gives 0; a failure gives 1 and is printed. Callbacks are served
    until the node's own `run` has returned, which may take its time.

    Args:
        make: the node.
        args: of ROS; those of the command line where None.
        threads: more than one serves callbacks that wait for others (actions).
        realtime: the integer parameter that holds the SCHED_FIFO priority to ask for, for all threads; empty: none.
    """
    others = remove_ros_args(sys.argv if args is None else ["", *args])[1:]
    if others:
        return _answer_arguments(others, sys.modules[make.__module__].__doc__ or "")
    log_without_waiting()
    asked, stop = StopRequest(), threading.Event()
    ask_on_signals(asked)
    faulthandler.register(WHERE_SIGNAL, file=STDERR)
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    failure: list[BaseException] = []
    runnable: Runnable | None = None
    spinner: threading.Thread | None = None
    try:
        runnable = make()
        reject_unknown_parameters(runnable.node)
        if realtime:  # here, and not in the node: a test that makes one is not to become a real-time process
            ask_for_realtime(runnable.node.get_parameter(realtime).value, every_thread=True)
        spinner = threading.Thread(
            target=_spin, args=(runnable.node, asked, stop, failure, threads, bool(realtime)), daemon=True
        )
        spinner.start()
        runnable.run(asked)
    except BaseException as error:
        failure.append(error)
    finally:
        stop.set()
        if spinner is not None:
            spinner.join(timeout=2.0)  # rclpy aborts the process when a node is destroyed while it spins
        _close(runnable, failure)
    for error in failure:
        _report(error)
    return 1 if failure else 0


def _answer_arguments(given: list[str], about: str) -> int:
    """Print help, or what is wrong with arguments; a node that only looks as if it took them might move arms."""
    if {"-h", "--help"} & set(given):
        print(
            f"{about.strip()}\n\nParameters: --ros-args -p NAME:=VALUE, or --params-file FILE; config/ explains them."
        )
        return 0
    print(f"unknown arguments {given}; parameters are given as --ros-args -p NAME:=VALUE", file=sys.stderr)
    return 2


def log_without_waiting() -> None:
    """Drop log lines that nobody takes, as on a terminal after Ctrl-S or behind a connection that hangs.

    rclpy writes them to standard error holding Python's lock: a full pipe would stop every thread of the node, the
    control loop and the emergency stop among them. The terminal or pipe is opened anew, for its other users still wait.
    """
    kind = os.fstat(STDERR).st_mode
    if not stat.S_ISFIFO(kind) and not os.isatty(STDERR):
        return
    try:
        own = os.open(f"/proc/self/fd/{STDERR}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a terminal of somebody else, as after su
        return
    os.dup2(own, STDERR)
    os.close(own)


def wait(stop: threading.Event) -> None:
    """The `run` of a node that only has callbacks."""
    while not stop.wait(0.5):
        pass


def _spin(
    node: Node,
    asked: threading.Event,
    stop: threading.Event,
    failure: list[BaseException],
    threads: int,
    often: bool,
) -> None:
    """Serve callbacks until `stop`; without a parent, or when one of them fails, the node is asked to stop."""
    parent = os.environ.get(PARENT_ENV)
    executor = _executor(threads, often)
    executor.add_node(node)
    try:
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.1)
            if parent and os.getppid() != int(parent) and not asked.is_set():
                node.get_logger().error(f"bringup (process {parent}) is gone: ending")
                asked.set()
    except ExternalShutdownException:
        pass
    except BaseException as error:
        failure.append(error)
    finally:
        asked.set()
        executor.shutdown(timeout_sec=1.0)


def _executor(threads: int, often: bool) -> Executor:
    """For nodes that are called often, one that waits for events, where rclpy has it.

    A callback then costs a quarter: the plain one lists everything it waits for anew each time.
    """
    if threads > 1:
        return MultiThreadedExecutor(num_threads=threads)
    if not often:
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def _close(runnable: Runnable | None, failure: list[BaseException]) -> None:
    try:
        if runnable is not None:
            runnable.close()
            runnable.node.destroy_node()
    except BaseException as error:
        failure.append(error)
    rclpy.try_shutdown()


def _report(error: BaseException) -> None:
    with contextlib.suppress(BlockingIOError):  # nobody reads
        if type(error).__module__.startswith("rise_"):  # raised on purpose, the message says what to do
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error, file=sys.stderr)


def diagnostics(node: Node, level: bytes, message: str, values: Mapping[str, Any]) -> DiagnosticArray:
    """One DiagnosticArray of this node."""
    status = DiagnosticStatus(
        level=level,
        name=node.get_fully_qualified_name().lstrip("/"),
        message=message,
        hardware_id="rise_robot",
        values=[KeyValue(key=key, value=f"{value:.3f}" if isinstance(value, float) else str(value))
                for key, value in values.items()],
    )  # fmt: skip
    array = DiagnosticArray(status=[status])
    array.header.stamp = node.get_clock().now().to_msg()
    return array

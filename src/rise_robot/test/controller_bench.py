"""A controller of the tiny contract, and a robot that does what it is told."""

from __future__ import annotations

import numpy as np

from rise_robot.core.chunk import Chunk
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.supervisor import Mode
from rise_robot.core.trajectory_controller import ControllerConfig, ControlOutput, TrajectoryController

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
A, K, PERIOD = CONTRACT.action_dim, CONTRACT.chunk_size, CONTRACT.control_period_s
START = 1_000_000_000_000
HOME = np.where(CONTRACT.joint_array("lower") < 0, -0.5, 0.5)
HOME = np.clip(HOME, CONTRACT.joint_array("lower") + 0.02, CONTRACT.joint_array("upper") - 0.02)


class Bench:
    """A controller with a robot that is always where it was told to be, one period ago."""

    def __init__(self, mode: Mode = Mode.POLICY, **config: float | bool) -> None:
        self.controller = TrajectoryController(CONTRACT, ControllerConfig(**config))
        self.step, self.measured, self.outputs = 0, HOME.copy(), list[ControlOutput]()
        self.controller.request(mode, "test", START)
        self.tick()

    @property
    def now(self) -> int:
        return START + round(self.step * 1e9 * PERIOD)

    @property
    def command(self) -> np.ndarray:
        assert self.outputs[-1].command is not None
        return self.outputs[-1].command

    def tick(self, count: int = 1, *, feedback: bool = True) -> ControlOutput:
        for _ in range(count):
            if feedback:
                self.controller.feed_joints(self.now, self.measured)
            output = self.controller.update(self.now)
            self.outputs.append(output)
            self.measured = self.command
            self.step += 1
        return output

    def chunk(self, offset: float, age: int = 0, size: int = K) -> Chunk:
        """A ramp of joint 1 from HOME by `offset`, as seen `age` steps before now."""
        actions = np.tile(HOME, (size, 1))
        actions[:, 0] += offset * np.linspace(0, 1, size)
        return Chunk(self.now - round(age * 1e9 * PERIOD), actions)


def assert_at_rest_within_limits(bench: Bench) -> None:
    commands = np.array([output.command for output in bench.outputs])
    velocity = np.diff(commands, axis=0) / PERIOD
    assert (np.abs(velocity) <= CONTRACT.joint_array("max_velocity") * (1 + 1e-9)).all()
    assert (np.abs(np.diff(velocity, axis=0)) / PERIOD <= CONTRACT.joint_array("max_acceleration") * (1 + 1e-6)).all()
    assert (commands[-1] == commands[-2]).all(), "the last command is a command to stay"

"""The driver's core over the vendor's SDK and a virtual CAN bus, emulated arms, and a clock that the test moves."""

from __future__ import annotations

import numpy as np

from rise_robot.core.command_guard import GuardConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.hardware.emulated_cell import EmulatedCell
from rise_robot.hardware.piper_arm import ArmSettings

CONTRACT = Contract.load(config_path("contract.yaml"))


class World(EmulatedCell):
    """Two arms and their robot."""

    def __init__(self, guard: GuardConfig | None = None, **settings: float) -> None:
        super().__init__(CONTRACT, guard, ArmSettings(**settings))  # type: ignore[arg-type]

    def move(self, positions: np.ndarray, stamp_ns: int | None = None) -> None:
        """One joint_command, and the control period after it."""
        self.robot.execute(self.now_ns if stamp_ns is None else stamp_ns, positions, self.now_ns)
        self.run(1 / 30)

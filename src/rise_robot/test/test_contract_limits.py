"""A contract or a cell whose numbers would silently switch a check off is refused."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from rise_robot.core.cell import Cell
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractError, ContractMismatchError

CONTRACT = Contract.load(config_path("contract.yaml"))


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "radians"}, {"upper": math.inf}, {"lower": math.nan}, {"max_velocity": -3.0},
        {"max_velocity": math.inf}, {"max_acceleration": 0.0}, {"max_acceleration": math.nan},
    ],
)  # fmt: skip
def test_joints(changes: dict[str, Any]) -> None:
    first, *others = CONTRACT.joints
    with pytest.raises(ContractError, match=first.name):
        dataclasses.replace(CONTRACT, joints=(dataclasses.replace(first, **changes), *others))


@pytest.mark.parametrize("name", ["control_rate_hz", "joint_state_max_age_s", "chunk_max_age_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_rates_and_ages(name: str, value: float) -> None:
    with pytest.raises(ContractError, match=f"{name} must be a finite number above 0"):
        dataclasses.replace(CONTRACT, **{name: value})


def test_cameras() -> None:
    camera = dataclasses.replace(CONTRACT.cameras[0], max_age_s=math.nan)
    with pytest.raises(ContractError, match=f"camera {camera.name} max_age_s"):
        dataclasses.replace(CONTRACT, cameras=(camera, *CONTRACT.cameras[1:]))


def test_a_cell_with_the_arms_in_another_order() -> None:
    """Each arm would be looked for where the other one stands."""
    cell = Cell.load(config_path("cell.yaml"))
    cell.require(CONTRACT)
    swapped = dataclasses.replace(cell, arms=cell.arms[::-1])
    with pytest.raises(ContractMismatchError, match="arm 1 of the cell is right, but the contract has left_joint1"):
        swapped.require(CONTRACT)

"""Chunks played early or late."""

from __future__ import annotations

import numpy as np
import torch

from rise_learning.rl.exploration import EASE_STEPS, Explorer, randomly_shifted, time_shifted
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.tool_shift import ToolShift


def ramp(batch: int, steps: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    """Chunks whose command k is k + 1 in the first joint and twice that in the second, from a state of 0."""
    line = torch.arange(1, steps + 1, dtype=torch.float32)[:, None] * torch.tensor([1.0, 2.0])
    return line.expand(batch, -1, -1).clone(), torch.zeros(batch, 2)


def test_no_shift_changes_nothing() -> None:
    chunks, state = ramp(3)
    torch.testing.assert_close(time_shifted(chunks, state, torch.zeros(3)), chunks)


def test_a_ramp_moves_by_the_shift_once_eased_in_and_never_beyond_its_end() -> None:
    chunks, state = ramp(2)
    early, late = time_shifted(chunks, state, torch.tensor([4.5, -3.0]))
    middle = slice(EASE_STEPS, 40)
    torch.testing.assert_close(early[middle], chunks[0, middle] + 4.5 * torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(late[middle], chunks[0, middle] - 3.0 * torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(early[0], chunks[0, 0])  # leaves from where the robot is
    assert (early[-4:] == chunks[0, -1]).all(), "the last command is held"


def test_shifts_are_spread_evenly_between_early_and_late() -> None:
    """Normal shifts would pull the mean of what succeeds towards what the policy does already."""
    chunks, state = ramp(2000)
    shifted = randomly_shifted(chunks, state, 12.0, np.random.default_rng(0))
    shift = (shifted - chunks)[:, 25, 0].numpy()
    assert abs(shift).max() <= 12.0 and abs(np.histogram(shift, 4, (-12, 12))[0] / 500 - 1).max() < 0.15
    assert randomly_shifted(chunks, state, 0.0, np.random.default_rng(0)) is chunks


def test_every_arm_goes_its_own_way_from_where_the_robot_is() -> None:
    contract = Contract.load(config_path("contract_tiny.yaml"))
    state = torch.tensor([0.1, 1.6, -1.1, 0.0, 0.65, 0.0, 0.03] * 2).repeat(200, 1)
    chunks = state[:, None].repeat(1, 50, 1) + torch.linspace(0, 0.1, 50)[:, None] * torch.tensor([1.0, *[0.0] * 6] * 2)
    explored = Explorer(8.0, 0.03, ToolShift(contract))(chunks, state, np.random.default_rng(0))
    changed = ((explored - chunks).abs() > 1e-4).any(1)  # (200, 14)
    arms = changed[:, :6].any(1).numpy(), changed[:, 7:13].any(1).numpy()
    for moved in arms:
        assert abs(moved.mean() - 0.75) < 0.1  # a quarter of the arms is left alone
    assert abs(np.corrcoef(*arms)[0, 1]) < 0.2
    torch.testing.assert_close(explored[:, 0], chunks[:, 0], atol=1e-3, rtol=0)
    assert (explored[:, 40, 1] - chunks[:, 40, 1]).std() > 0.01  # the shoulder reaches further or less far

"""Variants of a policy's own chunk: what they are, and what it says of imagination how it ranks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rise_learning import evaluate_variants
from rise_learning.errors import ConfigError
from rise_learning.evaluation.variants import KINDS, Variants, judge_variants, variants_lines, variants_report, varied
from rise_learning.rl.imagination import Imagined, Starts
from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.robot import SimulatedRobot

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))


REACHING = torch.tensor([[0.0, 1.6, -1.3, 0.0, 0.8, 0.0, 0.07] * 2])
"""(1, A) rad and m, both arms before the robot."""


def test_variants_come_early_or_late_and_go_aside_by_what_they_say() -> None:
    state = REACHING
    own = state[:, None].repeat(1, CONTRACT.chunk_size, 1)
    own[0, :, 0] += torch.linspace(0.01, 0.5, CONTRACT.chunk_size)
    chunks = varied(own, state, CONTRACT)
    assert chunks.shape == (1, len(KINDS), CONTRACT.chunk_size, CONTRACT.action_dim)
    by_kind = dict(zip(KINDS, chunks[0], strict=True))
    torch.testing.assert_close(by_kind["own", 0.0], own[0])
    assert by_kind["time", 8.0][30, 0] == pytest.approx(float(own[0, 38, 0]), abs=1e-5)
    assert by_kind["time", -8.0][30, 0] == pytest.approx(float(own[0, 22, 0]), abs=1e-5)
    robot = SimulatedRobot(CONTRACT)

    def tools(chunk: Tensor) -> np.ndarray:
        robot.place(chunk[-1].numpy())
        return np.stack([robot.tool_position(arm) for arm in ("left", "right")])

    for axis, number in (("x", 0), ("y", 1)):
        apart = tools(by_kind[axis, 0.03]) - tools(by_kind["own", 0.0])
        expected = 0.03 * np.eye(3)[[number, number]]
        assert apart == pytest.approx(expected, abs=4e-3)


def three_kinds(imagined: list[list[float]], true: list[list[float]]) -> Variants:
    """V after two frames, of the own chunk and two others from each state; only the last frame differs."""

    def values(rows: list[list[float]]) -> np.ndarray:
        return np.stack([np.zeros((len(rows), 3)), np.array(rows)], -1)

    return Variants(values(imagined), values(true), values(true) / 10)


def test_the_choice_of_imagination_is_held_against_truth() -> None:
    found = three_kinds([[0.0, 0.4, 0.2], [0.0, -0.2, 0.6]], [[0.0, -0.2, 0.8], [0.0, 0.0, 0.6]])
    last, whole = variants_report(found, np.arange(2), (1, 0))
    assert last["gain_imagined"] == pytest.approx(0.5) and whole["gain_imagined"] == pytest.approx(0.25)
    assert last["gain"][0] == pytest.approx(np.mean([-0.1, 0.3])), "V of true frames: it loses and gains"
    assert last["gain_ceiling"][0] == pytest.approx(np.mean([0.4, 0.3]))
    assert last["gain_progress"][0] == pytest.approx(np.mean([-0.02, 0.06]))
    assert 0 < last["correlation"] < 1
    assert len(variants_lines([last, whole], 2)) == 5


def test_what_differs_between_states_is_no_merit() -> None:
    """An imagination that knows how good a state is, and nothing of chunks."""
    found = three_kinds([[1.0, 1.1, 0.9], [-1.0, -0.9, -1.1]], [[1.0, 0.9, 1.1], [-1.0, -1.1, -0.9]])
    assert variants_report(found, np.arange(2), (1,))[0]["correlation"] == pytest.approx(-1.0)


def test_every_judge_is_asked_for_every_chunk() -> None:
    class Counts:
        def imagine(self, starts: Starts, chunks: Tensor, seed: int) -> Imagined:
            last = chunks[:, -1:, 0].numpy()
            return Imagined(torch.empty(len(chunks), 0), last, value_now=starts.state[:, 0].numpy())

    states, count = 6, 3
    starts = Starts(torch.zeros(states, 1, 1, 1, 1, 1), torch.arange(states)[:, None].float(), ["go"] * states)
    chunks = torch.rand(states, count, 4, 1)
    found = judge_variants(chunks, starts, (Counts(), Counts(), Counts()), 0)
    expected = starts.state[:, None] + chunks[:, :, -1]
    for values in (found.imagined, found.true, found.progress):
        np.testing.assert_allclose(values, expected.numpy())


@pytest.mark.parametrize("frames", [(8, 8), (-1, 4)])
def test_frames_to_begin_from_are_asked_for_by_name(frames: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="the first below the second"):
        evaluate_variants.evaluate(evaluate_variants.Args(Path("run"), Path("policy"), (Path("bags"),), frames))

"""The preset `released`: the numbers of the authors' released code, and that each of them does what it says."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, small_contract

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.presets import get_preset
from rise_learning.train_policy import fit_bins
from rise_learning.train_value import ValueObjective, new_value
from rise_learning.training_settings import PolicyTraining, ValueTraining

CONTRACT = small_contract()
FRAMES = 16
EPISODES = EpisodeSet(
    CONTRACT,
    [
        make_episode(CONTRACT, seed, frames=FRAMES, kind=kind, outcome=outcome)
        for seed, (kind, outcome) in enumerate(
            [("demonstration", "success"), ("rollout", "success"), ("rollout", "failure")]
        )
    ],
)
RELEASED = get_preset("released")


def objective(**changes) -> ValueObjective:
    settings = dataclasses.replace(ValueTraining(), **changes)
    model = new_value(EPISODES, EPISODES.rubric_classes(), settings, SIZE, 0)
    return ValueObjective(model, EPISODES, EPISODES.rubric_classes(), settings, 0)


def test_numbers() -> None:
    paper, value, policy = get_preset("paper"), RELEASED.value, RELEASED.policy
    assert (value.loop.steps, value.progress_only_share, value.failure_reward) == (100_000, 0.0, -0.6)
    assert (value.terminal_frames, value.td_bounds, value.averaged_target) == (10, (-1.0, 1.0), True)
    assert 1 - value.loop.ema_decay == pytest.approx(0.01) and value.progress_on == "successes"
    assert policy.advantage_scale == 5 and policy.bin_range == (-1, 1)
    improvement = RELEASED.self_improvement
    assert (improvement.dynamics_steps, improvement.loop.learning_rate) == (25, 1e-5)
    assert improvement.chunks_per_start == 2 and RELEASED.dynamics.tasks_per_batch == 2
    assert RELEASED.dynamics == paper.dynamics and RELEASED.image_size == paper.image_size


def test_the_end_of_an_episode_is_its_last_ten_frames() -> None:
    released = {"failure_reward": -0.6, "terminal_frames": 10}
    last = EPISODES.last_frame
    for frames_before, expected in ((0, [1.0, -0.6]), (9, [1.0, -0.6]), (10, None)):
        found = objective(**released)._targets(last[1:] - frames_before)
        if expected is None:
            assert not torch.isin(found, torch.tensor([1.0, -0.6])).any()
        else:
            torch.testing.assert_close(found, torch.tensor(expected))
    torch.testing.assert_close(objective()._targets(last[1:]), torch.tensor([1.0, -1.0]))
    assert not torch.isin(objective()._targets(last[1:] - 1), torch.tensor([1.0, -1.0])).any()


def test_targets_come_from_the_average_and_are_clamped() -> None:
    g = EPISODES.last_frame - 5
    plain, averaged = objective(), objective(td_bounds=(-1.0, 1.0))
    average = new_value(EPISODES, EPISODES.rubric_classes(), ValueTraining(), SIZE, 1)
    with torch.no_grad():
        average.value_head.bias.fill_(50.0)
    averaged.target = average
    assert torch.equal(averaged._targets(g), torch.ones(3))
    assert (plain._targets(g).abs() < 1).all()


def test_progress_is_regressed_on_every_success() -> None:
    episodes_of = [set(EPISODES.episode_of[objective(progress_on=where).demonstrated].tolist())
                   for where in ("demonstrations", "successes")]  # fmt: skip
    assert episodes_of == [{0}, {0, 1}]


def test_no_advantage_is_bin_six_of_ten() -> None:
    bins = fit_bins(RELEASED.policy, np.array([-3.0, 3.0]), 10)
    advantages = np.array([-1.0, -0.2, -0.161, -0.001, 0.0, 0.039, 0.041, 0.159, 0.161, 0.2, 1.0])
    assert bins(advantages).tolist() == [1, 1, 1, 5, 6, 6, 7, 9, 10, 10, 10]
    assert bins.clipped(advantages) == 2
    fitted = fit_bins(PolicyTraining(), np.linspace(-3, 3, 1000), 10)
    assert fitted.low == pytest.approx(-2.88, abs=0.01)
    with pytest.raises(ConfigError, match="empty"):
        fit_bins(dataclasses.replace(PolicyTraining(), bin_range=(1.0, 1.0)), np.zeros(2), 10)

"""Chains of imaginations that follow recorded commands, and dynamics that learn from contexts of their own."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, small_contract

from rise_learning.data.episode_set import EpisodeSet
from rise_learning.model_choices import PatchModel
from rise_learning.train_dynamics import Args, DynamicsObjective, new_dynamics
from rise_learning.training.chain import LINK_FRAMES, Chain
from rise_learning.training.own_contexts import OwnContexts

CONTRACT = small_contract()
EPISODES = EpisodeSet(CONTRACT, [make_episode(CONTRACT, seed, frames=30) for seed in range(2)])
STEP = LINK_FRAMES * CONTRACT.actions_per_frame
MODEL, INPUTS = new_dynamics(EPISODES, SIZE, 0, PatchModel(heads=1, layers=1, channels=16), control_maps=False)
LAST_BUT_ONE = 19
"""The last frame of the first episode from which two whole chunks can be imagined one after the other."""


def painted(count: int, grey: int) -> torch.Tensor:
    shape = (count, CONTRACT.frames_per_chunk, len(CONTRACT.cameras), *SIZE, 3)
    return torch.full(shape, grey, dtype=torch.uint8)


def test_a_chain_follows_what_was_commanded() -> None:
    g = np.array([10, 42])
    chain = Chain.begin(INPUTS, EPISODES, g)
    np.testing.assert_array_equal(chain.here.context, EPISODES.context(g, 4))
    torch.testing.assert_close(chain.commands, torch.from_numpy(EPISODES.chunk(g)))
    chain = chain.onward(painted(2, 7)).onward(painted(2, 8))
    assert chain.g.tolist() == [20, 52] and chain.links.tolist() == [2, 2]
    assert (chain.here.context == 8).all()
    torch.testing.assert_close(chain.commands, torch.from_numpy(EPISODES.chunk(g + 2 * LINK_FRAMES)))
    recorded = chain.here.last_recorded
    np.testing.assert_array_equal(recorded.pictures, EPISODES.frames[g])
    np.testing.assert_array_equal(recorded.state, EPISODES.state[EPISODES.step_of[g]])
    assert recorded.steps_ago.tolist() == [2 * STEP, 2 * STEP]
    # these dynamics know of no lag: joints are where they were commanded to be
    np.testing.assert_allclose(chain.here.state, EPISODES.action[EPISODES.step_of[g + 2 * LINK_FRAMES] - 1], atol=1e-6)


def test_a_batch_goes_on_where_the_last_one_was_imagined_to_lead() -> None:
    contexts, g = OwnContexts(INPUTS, EPISODES, 100), np.array([0, 30, 1, 31])
    begun, pure = contexts.batch(g, np.random.default_rng(0))
    assert pure == 2 and sorted(begun.g) == sorted(g) and not begun.links.any()
    contexts.imagined(begun.select(np.arange(2)), painted(2, 7), np.random.default_rng(0))
    then, pure = contexts.batch(g, np.random.default_rng(1))
    assert pure == 2 and len(then.g) == 4
    np.testing.assert_array_equal(then.g[:2], begun.g[:2] + LINK_FRAMES)
    assert then.links.tolist() == [1, 1, 0, 0] and set(then.g[2:]) < set(g)
    assert (then.here.context[:2, -1] == 7).all() and (then.here.context[2:, -1] != 7).any()


def test_chains_end_with_their_episode_and_at_random() -> None:
    contexts, g = OwnContexts(INPUTS, EPISODES, 100), np.array([LAST_BUT_ONE, LAST_BUT_ONE + 1])
    begun, _ = contexts.batch(g, np.random.default_rng(0))
    contexts.imagined(begun, painted(2, 7), np.random.default_rng(0))
    then, _ = contexts.batch(g, np.random.default_rng(0))
    assert then.g[then.links == 1].tolist() == [LAST_BUT_ONE + LINK_FRAMES]
    contexts, g = OwnContexts(INPUTS, EPISODES, 1), np.full(400, 2)
    begun, _ = contexts.batch(g, np.random.default_rng(0))
    contexts.imagined(begun, painted(400, 7), np.random.default_rng(0))
    then, _ = contexts.batch(np.full(400, 3), np.random.default_rng(0))
    first = then.select(np.flatnonzero(then.links == 1))
    assert 0.4 < len(first.g) / 400 < 0.6
    contexts.imagined(first, painted(len(first.g), 7), np.random.default_rng(0))
    assert not contexts.state(), "one link is the most"


def test_without_links_every_context_is_recorded() -> None:
    contexts, g = OwnContexts(INPUTS, EPISODES, 0), np.array([3, 40])
    chain, pure = contexts.batch(g, np.random.default_rng(0))
    assert pure == 0 and chain.g.tolist() == [3, 40]


def loss_of(objective: DynamicsObjective, step: int) -> float:
    metrics = objective(step)
    assert set(metrics) == {"loss", "mse"}
    return float(metrics["loss"].detach())


@pytest.mark.parametrize("links", [0, 2])
def test_an_objective_that_goes_on_from_a_checkpoint_draws_what_it_would_have_drawn(links: int) -> None:
    args = Args.from_preset("tiny")
    training = dataclasses.replace(args.training, imagined_links=links)
    training = dataclasses.replace(training, loop=dataclasses.replace(training.loop, batch_size=6))
    args = dataclasses.replace(args, training=training)
    torch.manual_seed(0)
    whole = DynamicsObjective(MODEL, INPUTS, EPISODES, args)
    losses = [loss_of(whole, step) for step in range(4)]
    first = DynamicsObjective(MODEL, INPUTS, EPISODES, args)
    for step in range(2):
        first(step)
    resumed = DynamicsObjective(MODEL, INPUTS, EPISODES, args)
    resumed.contexts.restore(first.contexts.state())
    assert [loss_of(resumed, step) for step in (2, 3)] == losses[2:]
    fresh = DynamicsObjective(MODEL, INPUTS, EPISODES, args)
    assert (loss_of(fresh, 2) == losses[2]) == (links == 0)

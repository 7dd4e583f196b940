"""One label followed from imagination to what the policy is conditioned on.

The authors' code for months trained every imagined sample as if its advantage were the best one: the label was lost on
its way to the prompt. Here an advantage of the middle bin must arrive as that bin in the prompt and in the flow head.
"""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic import make_set, small_policy_config

from rise_learning.errors import ConfigError
from rise_learning.policy.flow_policy import FlowPolicy
from rise_learning.policy.prompt import build_prompt
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.imagination import Imagined, Travelled, imagined_rollout, recorded_starts
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.training.loop import LoopConfig
from rise_learning.training.policy_training import OfflineSamples, new_policy
from rise_learning.training_settings import SelfImprovement

BINS = AdvantageBins(-1.0, 1.0)
MIDDLE = -0.35
"""Falls into bin 4."""
LAG = 0.25
"""rad, by which a chunk moves the joints of `JudgeAlike`."""


class JudgeAlike:
    """A world model that finds every chunk equally mediocre."""

    def imagine(self, starts, chunks, seed):
        return Imagined(starts.context[:, -1:].repeat(1, 5, 1, 1, 1, 1), np.full((len(chunks), 5), MIDDLE))

    def advance(self, starts, commands, frames):
        return Travelled(frames, (starts.state + LAG)[:, None].repeat(1, 5, 1))


class Listening(FlowPolicy):
    """Writes down what reaches the prompt and the head."""

    def __init__(self, config):
        super().__init__(config)
        self.prompts, self.head_bins = [], []
        self.head.register_forward_pre_hook(lambda _, arguments: self.head_bins.append(arguments[3].clone()))

    def read_prompt(self, instructions, bins):
        self.prompts.append([build_prompt(text, int(label)) for text, label in zip(instructions, bins, strict=True)])
        return super().read_prompt(instructions, bins)


def make_loop(offline_share=0.0):
    episodes = make_set()
    samples = OfflineSamples.all_frames(episodes, np.full(len(episodes), 10))
    config = small_policy_config(episodes.contract, bin_dropout=0.0)
    policy = Listening(config)
    policy.load_state_dict(new_policy(config, samples, 0).state_dict())
    settings = SelfImprovement(
        loop=LoopConfig(batch_size=20), offline_share=offline_share, starts_per_rollout=6, chunks_per_start=2
    )
    return SelfImprovementLoop(policy, JudgeAlike(), samples, BINS, settings, seed=0), policy


@pytest.mark.parametrize("history", [(-9, 0), (0, 1)])
def test_a_policy_that_looks_further_back_than_imagination_goes_is_refused(history):
    """Indices would wrap to other frames, later ones among them."""
    loop, policy = make_loop()
    policy.config = dataclasses.replace(policy.config, history=history)
    with pytest.raises(ConfigError, match="cannot be imagined"):
        SelfImprovementLoop(policy, JudgeAlike(), loop.offline, BINS, loop.settings, seed=0)


def test_rollout_asks_for_the_top_bin():
    loop, policy = make_loop()
    loop.before_step(0)
    assert set(policy.prompts[0]) == {"Advantage: 10. Task: sort the bricks."}
    assert all((bins == 10).all() for bins in policy.head_bins)


def test_second_chunks_start_where_the_world_model_says_that_the_joints_are():
    """Not where they were commanded, which the arms have not reached yet."""
    loop, policy = make_loop()
    samples = imagined_rollout(
        policy, JudgeAlike(), recorded_starts(loop.offline.episodes, np.arange(3)), top_bin=10, candidates=1,
        chunks_per_start=2, within_state=False, flow_steps=1, rng=np.random.default_rng(0),
    )  # fmt: skip
    first, second = (samples.state[samples.depth == depth] for depth in (0, 1))
    torch.testing.assert_close(second, first + LAG)


def test_judged_label_reaches_prompt_and_head_unchanged():
    loop, policy = make_loop()
    loop.before_step(0)
    assert len(loop.buffer) == 12 and loop.statistics.bins[3] == 12
    policy.prompts.clear()
    policy.head_bins.clear()
    loop.loss(0)
    assert policy.prompts == [["Advantage: 4. Task: sort the bricks."] * 20]
    assert policy.head_bins[0].tolist() == [4] * 40  # two noise draws


def test_offline_and_online_labels_stay_with_their_samples():
    loop, policy = make_loop(offline_share=0.6)
    loop.before_step(0)
    policy.prompts.clear()
    loop.loss(0)
    assert policy.prompts[0][:12] == ["Advantage: 10. Task: sort the bricks."] * 12
    assert policy.prompts[0][12:] == ["Advantage: 4. Task: sort the bricks."] * 8
    assert loop.statistics.offline_share == 0.6


def test_prompt_without_bin_says_nothing_of_advantage():
    assert build_prompt("sort the bricks.", 0) == "Task: sort the bricks."


def test_label_changes_the_loss():
    loop, policy = make_loop()
    inputs, chunks = loop.offline.batch(np.random.default_rng(0), 8, policy.config.history)
    losses = []
    for label in (10, 4):
        inputs.bins = torch.full((8,), label)
        torch.manual_seed(0)
        losses.append(policy.loss(inputs, chunks))
    assert (losses[0] != losses[1]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kept_states": 0.5, "chunks_per_start": 2}, "second chunks have each a state of their own"),
        ({"refit_bins": True, "within_state": True}, "centres the imagined ones only"),
    ],
)
def test_labels_that_would_compare_what_cannot_be_compared_are_refused(options, words):
    loop, policy = make_loop()
    with pytest.raises(ConfigError, match=words):
        SelfImprovementLoop(
            policy, JudgeAlike(), loop.offline, BINS, dataclasses.replace(loop.settings, **options), seed=0
        )


def test_what_a_state_allows_is_imitated_with_the_top_bin():
    """Candidates of a state differ by what they are worth; the better ones are trained on as if an expert's."""

    class JudgeFirst:
        def imagine(self, starts, chunks, seed):
            worth = np.tile([0.5, 0.4, -0.1], len(chunks) // 3)
            return Imagined(starts.context[:, -1:].repeat(1, 5, 1, 1, 1, 1), np.repeat(worth[:, None], 5, 1))

    loop, policy = make_loop()
    loop.world_model = JudgeFirst()
    loop.settings = dataclasses.replace(loop.settings, candidates=3, chunks_per_start=1, kept_states=0.5)
    loop.before_step(0)
    assert len(loop.buffer) == 6, "two candidates of three states"
    policy.prompts.clear()
    loop.loss(0)
    assert policy.prompts == [["Advantage: 10. Task: sort the bricks."] * 20]
    assert loop.statistics.imagined == 18 and loop.statistics.bins[4] == 6, "counted by what they earned"

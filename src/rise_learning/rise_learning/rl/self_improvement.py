"""The self-improving loop (Sec. III-C): rollouts in imagination, training on online and offline chunks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rise_learning.errors import ConfigError
from rise_learning.policy.interface import Policy, PolicyInput
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.buffer import OnlineBuffer
from rise_learning.rl.episode_stage import EpisodeStage
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import OnlineSamples, Starts, WorldModel, imagined_rollout
from rise_learning.rl.offline_starts import offline_starts, shares_of_frames
from rise_learning.rl.selection import better_half, middle_of_kept
from rise_learning.rl.statistics import Statistics
from rise_learning.training.loop import step_rng
from rise_learning.training.policy_training import OfflineSamples
from rise_learning.training_settings import SelfImprovement

ROLLOUT_STREAM = 1_000_003
"""Keeps random numbers of rollouts apart from those of batches."""


class SelfImprovementLoop:
    """`before_step` imagines, `loss` trains; both are functions of (seed, step) and of the saved state alone."""

    def __init__(
        self,
        policy: Policy,
        world_model: WorldModel,
        offline: OfflineSamples,
        bins: AdvantageBins,
        settings: SelfImprovement,
        seed: int,
    ) -> None:
        context = offline.episodes.contract.context_frames
        if not all(-context < offset <= 0 for offset in policy.config.history):
            raise ConfigError(
                f"a policy that looks at frames {policy.config.history} cannot be imagined: there are {context} of "
                "them, now included"
            )
        if settings.kept_states and settings.chunks_per_start > 1 and not settings.guided_chunks:
            raise ConfigError(
                "kept_states compares the chunks of one state, and second chunks have each a state of their own; use "
                "--training.chunks-per-start 1"
            )
        if settings.refit_bins and settings.within_state:
            raise ConfigError(
                "refit_bins fits one range to imagined and recorded advantages, and within_state centres the imagined "
                "ones only; leave one of the two out"
            )
        shares_of_frames(offline.episodes, settings.start_frames, settings.failed_share)  # refuses what is not there
        self.policy, self.world_model, self.offline, self.bins = policy, world_model, offline, bins
        self.settings, self.seed = settings, seed
        self.buffer = OnlineBuffer(settings.buffer_size, offline.episodes.instructions)
        self.statistics = Statistics(bins=[0] * bins.count)
        self.rollout_policy: Policy = policy
        self.explore = Explorer.of(offline.episodes.contract, settings.time_shift, settings.tool_shift)

    def imagine(self, step: int, states: int) -> OnlineSamples:
        """One rollout stage from `states` offline states, with the rollout policy (Eq. 7)."""
        settings, rng = self.settings, step_rng(self.seed + ROLLOUT_STREAM, step)
        return imagined_rollout(
            self.rollout_policy.eval(),
            self.world_model,
            self._starts(states, rng),
            top_bin=self.bins.top,
            candidates=settings.candidates,
            chunks_per_start=settings.chunks_per_start,
            within_state=settings.within_state,
            explore=self.explore,
            judged_frames=settings.judged_frames,
            flow_steps=settings.flow_steps,
            rng=rng,
        )

    def before_step(self, step: int) -> None:
        """Rollout stage: every `rollout_every` steps.

        Raises:
            ConfigError: the first one leaves nothing to learn from.
        """
        if step % self.settings.rollout_every:
            return
        if self.settings.guided_chunks:
            rng = step_rng(self.seed + ROLLOUT_STREAM, step)
            stride = self.offline.episodes.contract.actions_per_frame
            stage = EpisodeStage(
                self.rollout_policy.eval(), self.world_model, self.settings, stride,
                self.bins, self.explore, self.buffer, self.statistics, rng,
            )  # fmt: skip
            stage.run(self._starts(self.settings.starts_per_rollout, rng))
            return
        samples = self.imagine(step, self.settings.starts_per_rollout)
        earned = self.bins(samples.advantage)
        if self.settings.kept_states:
            labels = np.full_like(earned, self.bins.top)
            kept = better_half(samples.advantage.reshape(-1, self.settings.candidates), self.settings.kept_states)
        else:
            labels, kept = earned, np.flatnonzero(earned >= self.settings.minimum_bin)
        if not len(kept) and not len(self.buffer):
            raise ConfigError(
                f"none of {len(earned)} imagined chunks falls into bin {self.settings.minimum_bin} or above, the "
                f"highest is {earned.max()}; lower minimum_bin, or imagine from more states"
            )
        trusted = self.statistics.trusted(samples, kept, self.settings.minimum_trust)
        if not len(trusted) and not len(self.buffer):
            raise ConfigError(
                f"minimum_trust {self.settings.minimum_trust:g} leaves none of the {len(kept)} imagined chunks, whose "
                f"trust is {samples.trust.min():.3f} to {samples.trust.max():.3f}; lower it"
            )
        kept = trusted
        if self.settings.middle and len(kept):
            middle = middle_of_kept(samples, kept, self.settings.candidates)
            self.buffer.add(middle, np.full(len(middle.advantage), self.bins.top))
        else:
            self.buffer.add(samples.select(kept), labels[kept])
        self.statistics.imagined += len(earned)
        self.statistics.clipped += self.bins.clipped(samples.advantage)
        counts = np.bincount(earned, minlength=self.bins.count + 1)[1:]
        self.statistics.bins = [total + int(count) for total, count in zip(self.statistics.bins, counts, strict=True)]

    def _starts(self, count: int, rng: np.random.Generator) -> Starts:
        settings = self.settings
        return offline_starts(self.offline.episodes, rng, count, settings.start_frames, settings.failed_share)

    def refit_bins(self, states: int) -> None:
        """Fit the range of the bins to what the starting policy is imagined to do; before the first step only."""
        advantages = self.imagine(-1 % 2**31, states).advantage
        self.bins = AdvantageBins.fit(
            advantages, self.bins.count, self.settings.bin_tail, experts_apart=self.bins.experts_apart
        )

    def loss(self, step: int) -> dict[str, Tensor]:
        """Training stage: one batch with the offline share of the settings (Eq. 8)."""
        rng, size = step_rng(self.seed, step), self.settings.loop.local_batch_size
        offline_count = int(np.floor(self.settings.offline_share * size + rng.random()))
        online_count = size - offline_count
        parts = []
        if offline_count:
            parts.append(self.offline.batch(rng, offline_count, self.policy.config.history))
        if online_count:
            parts.append(self.buffer.batch(rng, online_count))
        self.statistics.offline += offline_count
        self.statistics.online += online_count
        inputs = PolicyInput.joined([inputs for inputs, _ in parts])
        losses = self.policy.loss(inputs, torch.cat([chunks for _, chunks in parts]))
        return {
            "loss": losses.mean(),
            "loss_offline": losses[:offline_count].mean().detach(),
            "loss_online": losses[offline_count:].mean().detach(),
            "online_bin_mean": inputs.bins[offline_count:].float().mean(),
            "imagined": torch.tensor(float(self.statistics.imagined)),
            "distrusted": torch.tensor(float(self.statistics.distrusted)),
            "episodes": torch.tensor(float(self.statistics.episodes)),
            "episodes_alone": torch.tensor(float(self.statistics.episodes_alone)),
            "episodes_corrected": torch.tensor(float(self.statistics.episodes_corrected)),
            "passed_over": torch.tensor(float(self.statistics.passed_over)),
            "episodes_ended_well": torch.tensor(float(self.statistics.episodes_ended_well)),
        }

    def state(self) -> dict[str, Tensor]:
        """Buffer and counters as tensors, for the checkpoint."""
        return {**self.buffer.state(), **self.statistics.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        if state:
            self.buffer.restore(state)
            self.statistics = Statistics.of(state)

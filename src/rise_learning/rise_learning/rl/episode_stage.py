"""A rollout stage of imagined episodes: played alone, led where that fails, learned from where they end well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from tqdm import tqdm

from rise_learning.errors import ConfigError
from rise_learning.policy.interface import Policy
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.buffer import OnlineBuffer
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import OnlineSamples, Starts, WorldModel
from rise_learning.rl.imagined_episodes import Guidance, ImaginedEpisodes, imagined_episodes, judged_again
from rise_learning.rl.passed_over import bins_within_state
from rise_learning.rl.statistics import Statistics
from rise_learning.training_settings import SelfImprovement

EPISODES_AT_ONCE = 16
"""Imagined episodes that are led together; what bounds the memory."""


@dataclass(frozen=True)
class EpisodeStage:
    """One stage: `run` fills the buffer and counts.

    Attributes:
        policy: the rollout policy.
        actions_per_frame: control steps from one imagined frame to the next.

    Raises:
        ConfigError: the settings do not fit.
    """

    policy: Policy
    world_model: WorldModel
    settings: SelfImprovement
    actions_per_frame: int
    bins: AdvantageBins
    explore: Explorer
    buffer: OnlineBuffer
    statistics: Statistics
    rng: np.random.Generator

    def __post_init__(self) -> None:
        settings, stride = self.settings, self.actions_per_frame
        if settings.replan_steps % stride:
            raise ConfigError(f"replan_steps {settings.replan_steps} is no multiple of {stride}, the steps of a frame")
        if settings.minimum_gain and not settings.rehearse:
            raise ConfigError("minimum_gain is over what the policy does alone: it needs rehearse")
        if settings.attempts < 1 or (settings.minimum_gain and settings.attempts > 1):
            raise ConfigError(f"one attempt at least, and with minimum_gain just one; got {settings.attempts}")

    @cached_property
    def guidance(self) -> Guidance:
        """How episodes are led."""
        settings = self.settings
        return Guidance(
            settings.guided_chunks, settings.replan_steps, settings.candidates, settings.judged_frames,
            tolerance=settings.tolerance, minimum_value=settings.minimum_value, minimum_rise=settings.minimum_rise,
            blend_steps=settings.blend_steps, led_chunks=settings.led_chunks, passed_over=settings.passed_over,
        )  # fmt: skip

    def run(self, starts: Starts) -> None:
        """Imagine an episode from every start.

        Raises:
            ConfigError: there is still nothing to learn from.
        """
        for part in tqdm(starts.split(EPISODES_AT_ONCE), "imagined episodes", leave=False, unit_scale=EPISODES_AT_ONCE):
            self.statistics.episodes += len(part.state)
            if self.settings.rehearse:
                self._rehearse(part)
            else:
                self.statistics.episodes_ended_well += int(self._lead(part).sum())
        if not self.statistics.learned:
            raise ConfigError(
                f"none of {len(starts.state)} imagined episodes reaches a value of {self.settings.minimum_value:g} "
                f"within {self.settings.guided_chunks} chunks of {self.settings.replan_steps} steps; lower it, imagine "
                "longer, or let a rise be enough (minimum_rise)"
            )

    def _rehearse(self, starts: Starts) -> None:
        """Play alone, lead what that leaves to be done better, and learn from both in equal shares."""
        alone, gain = self._play(starts, replace(self.guidance, alone=True)), self.settings.minimum_gain
        corrected = np.zeros(len(starts.state), bool)
        if gain:
            led = self._play(starts, self.guidance)
            corrected = led.ended_well & (self._gain(starts, alone, led) >= gain)
            self._learn(led.of(np.flatnonzero(corrected)))
            self._learn_lower(led.passed_over)
        else:
            corrected[~alone.ended_well] = self._lead(starts.select(np.flatnonzero(~alone.ended_well)))
        others = np.flatnonzero(alone.ended_well & ~corrected)
        self._learn(alone.of(others[: max(1, int(corrected.sum()))]))
        self.statistics.episodes_alone += int(alone.ended_well.sum())
        self.statistics.episodes_corrected += int(corrected.sum())
        self.statistics.episodes_ended_well += int((alone.ended_well | corrected).sum())

    def _lead(self, starts: Starts) -> np.ndarray:
        """(B,) which of B episodes end well when they are led, as often as `attempts` says; those are learned from."""
        well = np.zeros(len(starts.state), bool)
        for _ in range(self.settings.attempts):
            again = np.flatnonzero(~well)
            if not len(again):
                break
            led = self._play(starts.select(again), self.guidance)
            well[again] = led.ended_well
            self._learn(led.samples)
            self._learn_lower(led.passed_over)
        return well

    def _gain(self, starts: Starts, alone: ImaginedEpisodes, led: ImaginedEpisodes) -> np.ndarray:
        """(B,) by how much V ends higher where B episodes were led."""
        seeds: list[int] = self.rng.integers(2**31, size=self.settings.judgements).tolist()
        if not seeds:
            return led.last_value - alone.last_value
        self.statistics.imagined += 2 * len(seeds) * len(starts.state) * self.guidance.chunks
        by_itself, guided = (
            judged_again(self.world_model, starts, way.commands, self.guidance, seeds) for way in (alone, led)
        )
        return guided - by_itself

    def _play(self, starts: Starts, guidance: Guidance) -> ImaginedEpisodes:
        self.statistics.imagined += len(starts.state) * guidance.imagined_chunks
        return imagined_episodes(
            self.policy, self.world_model, starts, guidance,
            explore=self.explore, top_bin=self.bins.top, flow_steps=self.settings.flow_steps, rng=self.rng,
        )  # fmt: skip

    def _learn(self, samples: OnlineSamples) -> None:
        """What was played, with the top bin."""
        if not self.settings.online_states:
            samples = samples.first_of_groups()
        trusted = self._trusted(samples)
        self.buffer.add(trusted, np.full(len(trusted.group), self.bins.top))
        self.statistics.learned += len(trusted.group)

    def _learn_lower(self, samples: OnlineSamples) -> None:
        """What was passed over, with the bins that it earned."""
        if not self.settings.online_states:
            samples = samples.select(np.flatnonzero(samples.depth == 0))
        trusted = self._trusted(samples)
        self.buffer.add(trusted, bins_within_state(trusted, self.bins))
        self.statistics.passed_over += len(trusted.group)

    def _trusted(self, samples: OnlineSamples) -> OnlineSamples:
        every = np.arange(len(samples.group))
        return samples.select(self.statistics.trusted(samples, every, self.settings.minimum_trust))

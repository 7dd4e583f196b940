"""What leading an imagined episode gains truly: the same commands, imagined and played in the simulator.

Whoever picks what was imagined best picks errors of the imagination, too (docs/decisions/0012). And what leads well may
be late: progress at the end of the commands does not see what they will come to, so that the policy then plays on until
the task is done or lost (docs/decisions/0020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from rise_learning.evaluation.statistics import correlation, mean_and_error
from rise_learning.policy.interface import Policy
from rise_learning.rl.episode_stage import EPISODES_AT_ONCE
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import Starts, WorldModel
from rise_learning.rl.imagined_episodes import Guidance, imagined_episodes, judged_again

SEEDS_APART = 1000
"""Between two imaginations: more than an episode has chunks, each of which takes the next seed."""
EVEN = 0.05
"""Progress by which two ways to play an episode must differ for one to be the better."""
BEST_SHARE = 0.25
"""Of all episodes, those with the greatest gain of V: what a minimum_gain would keep."""
DONE = 0.99
"""Progress from which on a task is done."""


@dataclass(frozen=True)
class Ends:
    """Of S episodes.

    Attributes:
        chosen: V at the end as it was imagined while they were played. anew: V imagined anew.
        true: progress at the end of the commands.
        done: whether the task is done when the policy has played on from there; of those that it plays alone, when it
            was alone in the simulator from the start, and saw what is there.
        ended_well: those that self-improvement would learn from.
    """

    chosen: np.ndarray
    anew: np.ndarray
    true: np.ndarray
    done: np.ndarray
    ended_well: np.ndarray


@dataclass(frozen=True)
class Gain:
    """Led minus alone over S episodes, as one judge sees it and as it is.

    Attributes:
        imagined, true: mean of V and of progress, each with its standard error by episode.
        correlation: of the two.
        best: true gain of the `BEST_SHARE` of the episodes that the judge likes best, with its standard error.
        better, worse: how many of these truly end by more than `EVEN` higher, or lower.
    """

    judge: str
    episodes: int
    imagined: tuple[float, float]
    true: tuple[float, float]
    correlation: float
    best: tuple[float, float]
    better: int
    worse: int


def led_and_alone(
    policy: Policy,
    world_model: WorldModel,
    simulator: WorldModel,
    starts: Starts,
    guidance: Guidance,
    *,
    explore: Explorer,
    top_bin: int,
    flow_steps: int,
    judgements: int,
    onward_chunks: int,
    seed: int,
) -> tuple[Ends, Ends]:
    """Episodes from every start, led by `world_model` and played by the policy alone.

    Args:
        simulator: what tells the truth from recorded starts.
        judgements: times that both are imagined anew, in the same noise.
        onward_chunks: that the policy plays on for in the simulator.
    """

    def by_itself(from_here: Starts, chunks: int, part: int) -> np.ndarray:
        """(B,) whether the task is done; led or not, a part of the starts is played in the same noise."""
        played = imagined_episodes(
            policy.eval(), simulator, from_here, replace(guidance, alone=True, chunks=chunks),
            explore=explore, top_bin=top_bin, flow_steps=flow_steps, rng=np.random.default_rng([seed, 1 + part]),
        )  # fmt: skip
        return played.last_value >= DONE

    rng, found = np.random.default_rng(seed), list[Ends]()
    with tqdm(total=2 * len(starts.state), desc="imagined episodes", unit="episode", leave=False) as bar:
        for way in (guidance, replace(guidance, alone=True)):
            ends: list[tuple[np.ndarray, ...]] = []
            for part in starts.split(EPISODES_AT_ONCE):
                first = seed + 1 + len(ends) * judgements
                played = imagined_episodes(
                    policy.eval(), world_model, part, way,
                    explore=explore, top_bin=top_bin, flow_steps=flow_steps, rng=rng,
                )  # fmt: skip
                noises = [SEEDS_APART * (first + again) for again in range(judgements)]
                anew = judged_again(world_model, part, played.commands, way, noises)
                true = judged_again(simulator, part, played.commands, replace(way, judged_frames=1), [seed])
                if way.alone:
                    done = by_itself(part, guidance.chunks + onward_chunks, len(ends))
                else:
                    travelled = simulator.advance(part, played.commands, part.context[:, :0])
                    done = by_itself(part.after(played.commands, travelled), onward_chunks, len(ends))
                ends.append((played.last_value, anew, true, done, played.ended_well))
                bar.update(len(part.state))
            found.append(Ends(*map(np.concatenate, zip(*ends, strict=True))))
    return found[0], found[1]


def gains(led: Ends, alone: Ends, episode_of: np.ndarray) -> list[Gain]:
    """What each way to judge says of leading from states of recorded episodes (S,)."""
    true = led.true - alone.true
    judged = {"as it was chosen": led.chosen - alone.chosen, "imagined anew": led.anew - alone.anew}
    return [_gain(judge, imagined, true, episode_of) for judge, imagined in judged.items()]


def _gain(judge: str, imagined: np.ndarray, true: np.ndarray, episode_of: np.ndarray) -> Gain:
    liked = np.argsort(-imagined, kind="stable")[: max(2, round(BEST_SHARE * len(true)))]
    best = true[liked]
    return Gain(
        judge,
        len(true),
        mean_and_error(imagined, episode_of),
        mean_and_error(true, episode_of),
        float(np.nan_to_num(correlation(imagined, true))),
        mean_and_error(best, episode_of[liked]),
        int((best > EVEN).sum()),
        int((best < -EVEN).sum()),
    )


def learned_from(led: Ends, alone: Ends) -> dict[str, float | int]:
    """Shares of episodes in which the task is done: all and those that would be learned from, led and alone."""
    kept = led.ended_well
    unknown = float("nan")
    return {
        "episodes": len(kept),
        "done_led": float(led.done.mean()),
        "done_alone": float(alone.done.mean()),
        "kept": int(kept.sum()),
        "kept_done_led": float(led.done[kept].mean()) if kept.any() else unknown,
        "kept_done_alone": float(alone.done[kept].mean()) if kept.any() else unknown,
    }

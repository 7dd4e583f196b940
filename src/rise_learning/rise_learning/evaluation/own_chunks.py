"""One-step test: chunks of the policy itself from states that it gets into, each executed, filmed, imagined and judged.

Telling an expert's chunk from a corrupted one is easy compared with telling the policy's own chunks apart, and only the
latter can improve it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rise_learning.evaluation.agent import DeploymentConfig, PolicyAgent, noise_of_episode
from rise_learning.evaluation.counterfactuals import Branch, CounterfactualSimulator
from rise_learning.evaluation.statistics import mean_and_error
from rise_learning.policy.checkpoint import TrainedPolicy
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import Starts, propose

GOOD = ("held", "right", "loaded", "inside", "folded", "half", "closed")
"""What may have become of a brick, a cup, clothes, a flap, a zip after a good chunk."""


@dataclass(frozen=True)
class Candidates:
    """N chunks from one state.

    Attributes:
        branch: the state. chunks: (N, K, A) float32.
        frames: (N, F, V, h, w, 3) uint8 true frames.
        good: (N,) share of the objects that are held or where they belong a little after the chunk.
    """

    branch: Branch
    chunks: np.ndarray
    frames: np.ndarray
    good: np.ndarray


def own_branches(
    simulator: CounterfactualSimulator, trained: TrainedPolicy, deployment: DeploymentConfig, seed: int, count: int
) -> list[Branch]:
    """States of one episode of a policy, drawn evenly from its frames before the task is decided."""
    robot, rng = simulator.robot, np.random.default_rng([seed, 4])
    agent = PolicyAgent(robot, trained, deployment, noise_of_episode(seed))
    robot.reset(seed)
    agent.reset()
    saved = []
    while robot.outcome == "running" and not robot.task.decided:
        if robot.control_step % simulator.contract.actions_per_frame == 0:
            saved.append(robot.get_state())
        robot.step(agent.action())
    chosen = sorted(rng.choice(len(saved), min(count, len(saved)), replace=False).tolist())
    return [simulator.branch_at(saved, now) for now in chosen]


def own_candidates(
    simulator: CounterfactualSimulator,
    trained: TrainedPolicy,
    deployment: DeploymentConfig,
    branch: Branch,
    count: int,
    time_shift: float,
) -> Candidates:
    """Chunks sampled at `branch`, executed from there to their end.

    Args:
        time_shift: control steps by which these chunks come early or late at most.
    """
    context, state = torch.from_numpy(branch.context)[None], torch.from_numpy(branch.state)[None]
    _, chunks = propose(
        trained.policy,
        Starts(context, state, [branch.instruction]).repeat(count),
        np.random.default_rng([branch.seed, branch.step]),
        advantage_bin=trained.bin_asked(deployment.advantage_bin),
        flow_steps=deployment.flow_steps,
        guidance=deployment.guidance,
        explore=Explorer(time_shift),
    )
    executed = [simulator.execute(branch, chunk) for chunk in chunks.numpy()]
    good = [np.mean([fate in GOOD for fate in consequences]) for _, consequences in executed]
    return Candidates(branch, chunks.numpy(), np.stack([frames for frames, _ in executed]), np.array(good))


def own_chunk_report(good: np.ndarray, scores: dict[str, np.ndarray], episode_of: np.ndarray) -> dict:
    """How well scores tell the chunks of one state apart, and what choosing the best one by them would bring.

    Args:
        good: (S, N) of `Candidates`.
        scores: by name, (S, N).
        episode_of: (S,) of each state; those of one episode fare alike.

    Returns:
        `good_mean` of all chunks and `good_any`, that of the best by hindsight; per score `auc` over pairs of one state
        that ended differently, and `best` with `gain` over the mean and its standard error `gain_se`.
    """
    better = good[:, :, None] > good[:, None, :]  # (S, N, N)
    report: dict = {
        "states": len(good),
        "candidates": good.shape[1],
        "pairs_that_differ": int(better.sum()),
        "good_mean": float(good.mean()),
        "good_any": float(good.max(1).mean()),
    }
    for name, score in scores.items():
        above = (score[:, :, None] > score[:, None, :]) + 0.5 * (score[:, :, None] == score[:, None, :])
        best = good.mean(1, where=score == score.max(1, keepdims=True))
        gain, error = mean_and_error(best - good.mean(1), episode_of)
        report[name] = {
            "auc": float(above[better].mean()) if better.any() else float("nan"),
            "best": float(best.mean()),
            "gain": gain,
            "gain_se": error,
        }
    return report

"""Does the world model rank chunks rightly? Eq. 2 on imagined and on true frames, over chunks from one saved state.

From states of the expert's episodes on seeds that no training saw, the simulator executes the expert's chunk and six
corrupted ones. A pair (expert, corrupted) counts where the objects really fared differently. What is compared and how
is fixed by the seeds alone. With --own-states, chunks of the policy itself are compared as well, which is harder and
what self-improvement lives on. Writes RUN/world_model.json, and clips of imagined beside real frames beside it.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from rise_learning import cli
from rise_learning.evaluation.agent import DeploymentConfig
from rise_learning.evaluation.counterfactuals import Branch, Comparison, CounterfactualSimulator, kinds_of
from rise_learning.evaluation.own_chunks import Candidates, own_branches, own_candidates, own_chunk_report
from rise_learning.evaluation.ranking import ranking_report
from rise_learning.evaluation.runner import spread
from rise_learning.policy.checkpoint import load_policy
from rise_learning.policy.interface import Policy
from rise_learning.rl.imagination import Starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import trained_contract
from rise_robot.core.contract import Contract
from rise_robot.sim.tasks import TaskSetting
from rise_worldmodel.visualize import side_by_side, write_video

CLIPS = 4
"""States of which clips are kept."""
STATES_PER_EPISODE = 3
"""Of the policy's own episodes."""


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_world_model."""

    run: Path
    """Run directory with dynamics and value."""
    states: int = 150
    """States, each of another episode."""
    seed: int = 3_000_000
    """Seed of the first episode; keep these seeds away from those of the bags."""
    own_states: int = 0
    """States of the policy's own episodes (three of each) from which its own chunks are compared; 0: none."""
    own_seed: int = 4_000_000
    """Seed of the first of those episodes."""
    candidates: int = 8
    """Chunks sampled from each of them."""
    time_shift: float = 0.0
    """Standard deviation, control steps, by which these chunks come early or late, as in self_improve."""
    policy: Path | None = None
    """Policy whose chunks are compared; default: RUN/policy."""
    task: str = "brick_sorting"
    level: Literal["easy", "default", "hard"] | None = None
    """Difficulty; not given: one brick, and `default` for the other tasks."""
    bricks: int | None = None
    """Bricks on the belt, 1 to 4, instead of the level's; brick_sorting only."""
    dynamics_steps: int = 1
    """Euler steps of the dynamics, as in self_improve."""
    workers: int = 2
    threads: int = 2
    json: bool = False
    """Print JSON only."""


_SIMULATORS: dict[tuple, CounterfactualSimulator] = {}
"""Of a worker process."""


def _simulator(contract: Contract, task: TaskSetting, size: tuple[int, int]) -> CounterfactualSimulator:
    key = (contract.digest, task, size)
    if key not in _SIMULATORS:
        _SIMULATORS[key] = CounterfactualSimulator(contract, task, size)
    return _SIMULATORS[key]


def _branch(contract: Contract, task: TaskSetting, size: tuple[int, int], seed: int) -> Branch:
    return _simulator(contract, task, size).branch(seed)


def _compare(
    contract: Contract, task: TaskSetting, size: tuple[int, int], pair: tuple[Branch, np.ndarray]
) -> Comparison:
    return _simulator(contract, task, size).compare(*pair)


@functools.cache
def _policy(directory: Path, contract: Contract) -> Policy:
    """Of a worker process."""
    return load_policy(directory, contract).policy


@dataclass(frozen=True)
class OwnChunks:
    """In a worker process: states of the episode of a seed, and the policy's chunks from each."""

    policy_directory: Path
    setting: tuple
    candidates: int
    time_shift: float

    def __call__(self, seed: int) -> list[Candidates]:
        simulator, deployment = _simulator(*self.setting), DeploymentConfig()
        policy = _policy(self.policy_directory, simulator.contract)
        branches = own_branches(simulator, policy, deployment, seed, STATES_PER_EPISODE)
        return [
            own_candidates(simulator, policy, deployment, branch, self.candidates, self.time_shift)
            for branch in branches
        ]


def judge(
    model: LearnedWorldModel, start: Branch | Comparison, chunks: np.ndarray, frames: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) Eq. 2 on imagined frames, (N,) on true frames, and (N, F, V, h, w, 3) the imagined frames."""
    count = len(chunks)
    context = torch.from_numpy(np.repeat(start.context[None], count, axis=0))
    state = torch.from_numpy(np.repeat(start.state[None], count, axis=0))
    texts = [start.instruction] * count
    imagined = model.imagine(Starts(context, state, texts), torch.from_numpy(chunks), seed)
    true = model.judge(context[:, -1], torch.from_numpy(frames), texts).advantage
    return imagined.advantage, true, imagined.frames.numpy()


def compare_own_chunks(args: Args, model: LearnedWorldModel, setting: tuple) -> dict:
    """`own_chunk_report` of the policy's chunks by imagination and by true frames."""
    work = OwnChunks(args.policy or args.run / "policy", setting, args.candidates, args.time_shift)
    seeds = list(range(args.own_seed, args.own_seed + -(-args.own_states // STATES_PER_EPISODE)))
    found = spread(work, seeds, workers=args.workers, desc="own chunks", unit="episode")
    several = [one for each in found for one in each][: args.own_states]
    judged = [judge(model, one.branch, one.chunks, one.frames, one.branch.seed)[:2] for one in several]
    imagined, true = (np.stack(column) for column in zip(*judged, strict=True))
    return own_chunk_report(np.stack([one.good for one in several]), {"imagined": imagined, "true_frames": true})


def write_clips(
    directory: Path,
    found: Comparison,
    kinds: tuple[str, ...],
    imagined: np.ndarray,
    advantages: tuple[np.ndarray, np.ndarray],
    fps: float,
) -> list[dict]:
    """The expert's chunk and the first corrupted one that ends differently: real above imagined."""
    different = np.flatnonzero(found.differs)
    clips = []
    for index in [0, *different[:1].tolist()]:
        file = directory / f"{found.seed}_{kinds[index]}.mp4"
        rows = [torch.from_numpy(found.frames[index]), torch.from_numpy(imagined[index])]
        write_video(file, side_by_side(rows, scale=3), fps=fps)
        clips.append(
            {
                "file": f"{directory.name}/{file.name}",
                "seed": found.seed,
                "step": found.step,
                "kind": kinds[index],
                "consequences": found.consequences[index],
                "advantage_imagined": float(advantages[0][index]),
                "advantage_true_frames": float(advantages[1][index]),
            }
        )
    return clips


def evaluate(args: Args) -> dict:
    """Simulate, imagine, judge; writes the report and returns it."""
    cli.use_threads(args.threads)
    contract = trained_contract(args.run / "dynamics")
    model = LearnedWorldModel(args.run, contract, dynamics_steps=args.dynamics_steps)
    config = model.model.dynamics.config
    setting = (contract, TaskSetting.of(args.task, args.level, args.bricks), (config.height, config.width))
    seeds = list(range(args.seed, args.seed + args.states))
    branches = list(spread(partial(_branch, *setting), seeds, workers=args.workers, desc="states", unit="state"))
    others = [branches[i - 1].chunk for i in range(len(branches))]
    pairs = list(zip(branches, others, strict=True))
    compared = spread(partial(_compare, *setting), pairs, workers=args.workers, desc="chunks", unit="state")
    kinds = kinds_of(args.task)
    rows, clips = [], []
    for found in compared:
        imagined, true, frames = judge(model, found, found.chunks, found.frames, found.seed)
        rows.append((imagined, true, found.differs[1:]))
        if found.differs.any() and len(clips) < 2 * CLIPS:
            rate = contract.control_rate_hz / contract.actions_per_frame
            clips += write_clips(args.run / "world_model", found, kinds, frames, (imagined, true), rate)
    imagined, true, differs = (np.stack(column) for column in zip(*rows, strict=True))
    report = ranking_report(imagined, true, differs, kinds[1:])
    if args.own_states:
        report["own_chunks"] = compare_own_chunks(args, model, setting)
    drawn = {"kinds": kinds, "imagined": imagined.tolist(), "true_frames": true.tolist(), "differs": differs.tolist()}
    write_json(args.run / "world_model.json", {**report, "settings": args, "advantages": drawn, "clips": clips})
    return report


def show(report: dict) -> None:
    """Print the report as a table."""
    print(
        f"{report['pairs_that_differ']} of {report['pairs']} pairs from {report['states']} states differ "
        f"({report['share_that_differs']:.0%}); correlation of Eq. 2 on imagined and true frames "
        f"{report['correlation']:.2f}, within a state {report['correlation_within_state']:.2f}"
    )
    print(f"{'expert above':16}{'pairs':>6}{'imagined':>22}{'true frames':>22}")
    for kind, of_imagined in report["by_kind_imagined"].items():
        found = of_imagined, report["by_kind_true_frames"][kind]
        print(f"{kind:16}{found[0]['pairs']:6}" + "".join(_cell(one["rate"], one["interval95"]) for one in found))
    both = ("imagined", "true_frames")
    cells = [_cell(report[f"advantage_auc_{name}"], report[f"interval95_{name}"]) for name in both]
    print(f"{'all':16}{report['pairs_that_differ']:6}" + "".join(cells))
    print(f"{'pooled AUC':22}" + "".join(f"{report[f'pooled_auc_{name}']:11.3f}{'':11}" for name in both))
    if own := report.get("own_chunks"):
        print(
            f"own chunks: {own['states']} states x {own['candidates']}, good {own['good_mean']:.1%}, best of them "
            f"{own['good_any']:.1%}"
        )
        for name in both:
            found_own = own[name]
            print(
                f"  chosen by {name:12} AUC {found_own['auc']:.3f}, good {found_own['best']:.1%} "
                f"(+{found_own['gain']:.3f}, standard error {found_own['gain_se']:.3f})"
            )


def _cell(rate: float, interval: list[float]) -> str:
    return f"{rate:10.3f} ({interval[0]:.2f}-{interval[1]:.2f})"


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        report = evaluate(args)
        if args.json:
            print(json.dumps(to_plain(report)))
        else:
            show(report)

    cli.run(work)


if __name__ == "__main__":
    main()

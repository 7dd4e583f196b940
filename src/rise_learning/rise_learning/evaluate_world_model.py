"""How good is the world model: does it rank chunks rightly, and with --bags how near are its videos to what happened?

    python -m rise_learning.evaluate_world_model --run runs/mine --bags bags/held_out

Held-out bags (any robot's): video figures of Table V beside copying the last frame, other actions and the codec alone,
value of successes against failures, Eq. 2 on imagined and on recorded frames. In the simulated cell: from states of
the expert's episodes on seeds that no training saw, the simulator executes the expert's chunk and corrupted ones. A
pair (expert, corrupted) counts where the objects really fared differently. What is compared is fixed by the seeds
alone. With --own-states, chunks of the policy itself are compared as well, which is harder and what self-improvement
lives on. Writes RUN/world_model.json, and clips and pictures to RUN/world_model/.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.evaluation.agent import DeploymentConfig
from rise_learning.evaluation.compared import Rows, draw_futures, judge
from rise_learning.evaluation.counterfactuals import Branch, Comparison, CounterfactualSimulator, kinds_of
from rise_learning.evaluation.held_out_report import held_out_report
from rise_learning.evaluation.held_out_text import held_out_lines, steps_lines
from rise_learning.evaluation.own_chunks import Candidates, own_branches, own_candidates, own_chunk_report
from rise_learning.evaluation.ranking import ranking_report
from rise_learning.evaluation.ranking_text import ranking_lines
from rise_learning.evaluation.runner import spread
from rise_learning.evaluation.trust import trust_lines, trust_report
from rise_learning.policy.checkpoint import TrainedPolicy, load_policy
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import sampling_steps, trained_contract
from rise_robot.core.contract import Contract
from rise_robot.sim.control_maps import can_draw
from rise_robot.sim.tasks import TaskSetting
from rise_worldmodel.trust import TrustConfig
from rise_worldmodel.video_scores import PublishedMetrics
from rise_worldmodel.visualize import side_by_side, write_video

CLIPS = 4
"""States of which clips are kept."""
LISTS = ("advantages", "clips")
"""Of the file, and not printed."""
STATES_PER_EPISODE = 3
"""Of the policy's own episodes."""


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_world_model."""

    run: Path
    """Run directory with dynamics and value; without value the videos of --bags alone are measured."""
    bags: tuple[Path, ...] = ()
    """Bags of episodes that no training of the run has read; none: only the simulator is asked."""
    chunks: int = 256
    """Recorded chunks that videos are measured on."""
    videos: int = 4
    """Of them written as clips: recorded, imagined, imagined under other actions."""
    lpips_weights: Path | None = None
    """Directory with alexnet-owt-7be5be79.pth and alex.pth; without it there is no LPIPS."""
    fvd_weights: Path | None = None
    """Directory with i3d_torchscript.pt; without it there is no FVD."""
    compare_steps: tuple[int, ...] = ()
    """Euler steps that are measured against each other, e.g. 1 2 4 10."""
    trust: bool = False
    """Repeat every imagination, and tell which doubt in it foresees the error of its advantage."""
    states: int = 150
    """States, each of another episode; 0: the simulator is not asked."""
    seed: int = 3_000_000
    """Seed of the first episode; keep these seeds away from those of the bags."""
    own_states: int = 0
    """States of the policy's own episodes (three of each) from which its own chunks are compared; 0: none."""
    own_seed: int = 4_000_000
    """Seed of the first of those episodes."""
    candidates: int = 8
    """Chunks sampled from each of them."""
    time_shift: float = 0.0
    """Control steps by which these chunks come early or late at most, as in self_improve."""
    policy: Path | None = None
    """Policy whose chunks are compared; default: RUN/policy."""
    task: str = "brick_sorting"
    level: str | None = None
    """Difficulty; not given: one brick, and `default` for the other tasks."""
    bricks: int | None = None
    """Bricks on the belt, 1 to 4, instead of the level's; brick_sorting only."""
    dynamics_steps: int | None = None
    """Euler steps of the dynamics; not given: those that they are meant for (1, at the paper's size 50)."""
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
def _trained(directory: Path, contract: Contract) -> TrainedPolicy:
    """Of a worker process."""
    return load_policy(directory, contract)


@dataclass(frozen=True)
class OwnChunks:
    """In a worker process: states of the episode of a seed, and the policy's chunks from each."""

    policy_directory: Path
    setting: tuple
    candidates: int
    time_shift: float

    def __call__(self, seed: int) -> list[Candidates]:
        simulator, deployment = _simulator(*self.setting), DeploymentConfig()
        trained = _trained(self.policy_directory, simulator.contract)
        branches = own_branches(simulator, trained, deployment, seed, STATES_PER_EPISODE)
        return [
            own_candidates(simulator, trained, deployment, branch, self.candidates, self.time_shift)
            for branch in branches
        ]


def compare_own_chunks(args: Args, model: LearnedWorldModel, setting: tuple) -> dict:
    """`own_chunk_report` of the policy's chunks by imagination and by true frames."""
    work = OwnChunks(args.policy or args.run / "policy", setting, args.candidates, args.time_shift)
    seeds = list(range(args.own_seed, args.own_seed + -(-args.own_states // STATES_PER_EPISODE)))
    found = spread(work, seeds, workers=args.workers, desc="own chunks", unit="episode")
    several = [one for each in found for one in each][: args.own_states]
    judged = [judge(model, one.branch, one.chunks, one.frames, one.branch.seed).advantages for one in several]
    imagined, true = (np.stack(column) for column in zip(*judged, strict=True))
    good, episode_of = np.stack([one.good for one in several]), np.array([one.branch.seed for one in several])
    return own_chunk_report(good, {"imagined": imagined, "true_frames": true}, episode_of)


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
    """Measure on bags, in the simulator, or both; writes the report and returns it."""
    cli.use_threads(args.threads)
    contract = trained_contract(args.run / "dynamics")
    judged = (args.run / "value").is_dir()
    simulated = args.states > 0 and can_draw(contract) and judged
    if not args.bags and not simulated:
        raise ConfigError(
            f"nothing to measure: --states {args.states} of the simulated cell, which contract {contract.name} is "
            f"{'' if can_draw(contract) else 'not '}of, with{'' if judged else 'out'} a value model, and no --bags"
        )
    if args.compare_steps and not judged:
        raise ConfigError(f"--compare-steps needs a value model; run train_value --out {args.run}")
    steps = sampling_steps(args.run / "dynamics", args.dynamics_steps)
    model = LearnedWorldModel(args.run, contract, dynamics_steps=steps) if judged else None
    report: dict = {}
    if args.bags:
        report |= held_out_report(
            args.run, args.bags, model,
            chunks=args.chunks, seed=args.seed, videos=args.videos, compare_steps=args.compare_steps,
            steps=steps, published=PublishedMetrics.load(args.lpips_weights, args.fvd_weights),
        )  # fmt: skip
    if simulated and model is not None:
        report |= rank(args, model, contract, report.pop("by_steps", []))
    write_json(args.run / "world_model.json", {**report, "settings": args})
    return {name: found for name, found in report.items() if name not in LISTS}


def rank(args: Args, model: LearnedWorldModel, contract: Contract, by_steps: list[dict]) -> dict:
    """Compare chunks in the simulator.

    Args:
        by_steps: what recorded chunks gave per number of Euler steps; completed.
    """
    config = model.model.dynamics.config
    setting = (contract, TaskSetting.of(args.task, args.level, args.bricks), (config.height, config.width))
    seeds = list(range(args.seed, args.seed + args.states))
    branches = list(spread(partial(_branch, *setting), seeds, workers=args.workers, desc="states", unit="state"))
    others = [branches[i - 1].chunk for i in range(len(branches))]
    pairs = list(zip(branches, others, strict=True))
    compared = spread(partial(_compare, *setting), pairs, workers=args.workers, desc="chunks", unit="state")
    kinds = kinds_of(args.task)
    rate = contract.control_rate_hz / contract.actions_per_frame
    rows, clips = Rows(args.compare_steps), []
    judging = model.asking_for(TrustConfig(repeats=1) if args.trust else None)
    for found in compared:
        judged = judge(judging, found, found.chunks, found.frames, found.seed)
        rows.add(model, found, judged)
        if found.differs.any() and len(clips) < 2 * CLIPS:
            frames = judged.imagined.frames.numpy()
            clips += write_clips(args.run / "world_model", found, kinds, frames, judged.advantages, rate)
            draw_futures(args.run / "world_model", found, kinds, judged, rate)
    imagined, true, differs = rows.arrays()
    report = ranking_report(imagined, true, differs, kinds[1:])
    report["by_steps"] = rows.by_steps(by_steps)
    if args.trust:
        report["trust"] = trust_report(imagined, true, differs, rows.doubts())
    if args.own_states:
        report["own_chunks"] = compare_own_chunks(args, model, setting)
    drawn = {"kinds": kinds, "imagined": imagined.tolist(), "true_frames": true.tolist(), "differs": differs.tolist()}
    return {**report, "advantages": drawn, "clips": clips}


def text(report: dict) -> list[str]:
    """The report as tables."""
    unranked = "ranking of chunks: not measured (--states 0, no value model, or not the contract of the simulated cell)"
    lines = [*held_out_lines(report), *(ranking_lines(report) if "pairs" in report else [unranked])]
    lines += steps_lines(report.get("by_steps", []))
    return lines + trust_lines(report["trust"]) if "trust" in report else lines


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        report = evaluate(args)
        print(json.dumps(to_plain(report)) if args.json else "\n".join(text(report)))

    cli.run(work)


if __name__ == "__main__":
    main()

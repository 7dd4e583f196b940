"""Does imagination know which variants of a policy's own chunk are better? Before the grasp, and behind it.

    python -m rise_learning.evaluate_variants --run RUN --policy RUN/policy --bags held_out/rollouts --frames 0 8
    python -m rise_learning.evaluate_variants --run RUN --policy RUN/policy --bags held_out/rollouts --frames 10 16

From recorded states every chunk is varied by known amounts, imagined, and played in the simulator, whose pictures the
same value model judges. Best for rollouts of the policy, which no training has read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.evaluation.variants import judge_variants, variants_lines, variants_report, varied
from rise_learning.policy.checkpoint import load_warmed_up
from rise_learning.rl.imagination import propose, recorded_starts
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.rl.simulated_world_model import SimulatedWorldModel, recorded_task
from rise_learning.training.learned_from import load_unread
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import trained_contract
from rise_robot.sim.tasks import TaskSetting


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_variants."""

    run: Path
    """Run directory with dynamics and value."""
    policy: Path
    """Directory of the policy whose chunks are varied."""
    bags: tuple[Path, ...]
    """Bags of the simulator that no training of the run has read; one state of each episode is used."""
    frames: tuple[int, int] = (0, 8)
    """First frame of an episode that its state may be of, and the first one that it may not be of."""
    states: int = 48
    """At most."""
    judged_frames: tuple[int, ...] = (3, 12, 0)
    """Last frames of a chunk that are judged, 0 for all; a row each."""
    flow_steps: int = 3
    seed: int = 0
    threads: int = 1
    level: str | None = None
    """Of the bags."""
    bricks: int | None = None
    """Of the bags, if it was given."""
    out: Path | None = None
    """Also write the result as JSON here."""
    json: bool = False
    """Print JSON only."""


def evaluate(args: Args) -> tuple[list[dict], int]:
    """Rows of `variants_report`, and of how many states.

    Raises:
        ConfigError: no frames to begin from, or no episode has them.
        DataError: the run has read one of the episodes, or they cannot be replayed.
        CheckpointError: the policy has no advantage bins.
    """
    first, end = args.frames
    if not 0 <= first < end or args.states < 1 or not args.judged_frames or min(args.judged_frames) < 0:
        raise ConfigError(
            "needs frames from 0 on, the first below the second, one state and one number of judged frames at least; "
            f"got frames {args.frames}, states {args.states}, judged frames {args.judged_frames}"
        )
    cli.use_threads(args.threads)
    contract = trained_contract(args.run / "dynamics")
    model = LearnedWorldModel(args.run, contract)
    config = model.model.dynamics.config
    episodes = load_unread(args.bags, (config.height, config.width), args.run, ("value", "dynamics"), contract)
    trained, bins = load_warmed_up(args.policy, contract)
    rng = np.random.default_rng(args.seed)
    long = np.flatnonzero(episodes.last_frame - episodes.first_frame >= end)[: args.states]
    if not len(long):
        raise ConfigError(f"no episode of these bags is longer than {end} frames")
    starts = recorded_starts(episodes, episodes.first_frame[long] + rng.integers(first, end, len(long)))
    _, own = propose(trained.policy.eval(), starts, rng, advantage_bin=bins.top, flow_steps=args.flow_steps)
    task = TaskSetting.of(recorded_task(episodes), args.level, args.bricks)
    judges = (
        model,
        SimulatedWorldModel(episodes, task, model.judge, workers=args.threads),
        SimulatedWorldModel(episodes, task, workers=args.threads),
    )
    found = judge_variants(varied(own, starts.state, contract), starts, judges, args.seed)
    rows = variants_report(found, long, args.judged_frames)
    if args.out:
        write_json(args.out, {"args": args, "states": len(long), "rows": rows})
    return rows, len(long)


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        rows, states = evaluate(args)
        print(json.dumps(to_plain(rows)) if args.json else "\n".join(variants_lines(rows, states)))

    cli.run(work)


if __name__ == "__main__":
    main()

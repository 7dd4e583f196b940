"""Compare policies by one chunk from the same recorded states of the simulator: paired, so it needs no whole episodes.

Beside them stands the best of N chunks of the first policy, as the simulator judges them: what choosing alone could do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rise_learning import cli
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError
from rise_learning.evaluation.one_step import one_step
from rise_learning.policy.checkpoint import load_policy
from rise_learning.presets import get_preset
from rise_learning.rl.self_improvement import offline_starts
from rise_learning.rl.simulated_world_model import SimulatedWorldModel, recorded_task
from rise_learning.training.run_directory import to_plain, write_json
from rise_robot.sim.tasks import TaskSetting


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_one_step."""

    bags: tuple[Path, ...]
    """Bags of the simulator that the states are taken from; best those that no training has read."""
    policies: tuple[Path, ...]
    """Directories of policies, that of the one to compare with first."""
    preset: str = "tiny"
    states: int = 200
    best_of: int = 8
    seed: int = 0
    level: str | None = None
    """Of the bags."""
    bricks: int | None = None
    """Of the bags, if it was given."""
    out: Path | None = None
    """Also write the result as JSON here."""
    workers: int = 2
    json: bool = False
    """Print JSON only."""


def compare(args: Args) -> None:
    """Play the chunks, print and store the result."""
    episodes = load_bags(list(args.bags), get_preset(args.preset).image_size)
    loaded = {str(directory): load_policy(directory, episodes.contract) for directory in args.policies}
    bins = [found.bins for found in loaded.values()]
    if bins[0] is None or any(other is None or other.count != bins[0].count for other in bins):
        raise ConfigError("these policies do not have the same number of advantage bins; all are asked for the top one")
    task = TaskSetting.of(recorded_task(episodes), args.level, args.bricks)
    rows = one_step(
        {name: found.policy for name, found in loaded.items()},
        SimulatedWorldModel(episodes, task, workers=args.workers),
        offline_starts(episodes, np.random.default_rng(args.seed), args.states),
        best_of=args.best_of,
        top_bin=bins[0].top,
        seed=args.seed,
    )
    result = {"bags": args.bags, "states": args.states, "seed": args.seed, "rows": rows}
    if args.out:
        write_json(args.out, result)
    if args.json:
        print(json.dumps(to_plain(result)))
        return
    for row in rows:
        (made, error), (more, paired), (low, high) = row.progress, row.difference, row.wilson95
        print(
            f"{row.name}: progress {made:+.3f} +- {error:.3f}, against the first {more:+.3f} +- {paired:.3f}; "
            f"loses ground in {row.lost} of {row.states} ({low:.0%} to {high:.0%})"
        )


def main() -> None:
    cli.run(lambda: compare(tyro.cli(Args, description=__doc__)))


if __name__ == "__main__":
    main()

"""Compare policies by one chunk from the same recorded states of the simulator: paired, so it needs no whole episodes.

Beside them stands what choosing among N chunks of the first policy could do, the best one or only where a correction is
needed, as the simulator judges them; with --run also as the value of true frames and as the learned world model judge
them, which tells what each one loses.
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
from rise_learning.evaluation.spread_states import spread_states
from rise_learning.policy.checkpoint import load_policy
from rise_learning.presets import get_preset
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagination import WorldModel
from rise_learning.rl.learned_world_model import LearnedWorldModel
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
    """From one episode each as far as they go, errors are by episode."""
    best_of: int = 8
    run: Path | None = None
    """Run directory with the value and dynamics that choose as well."""
    judged_frames: int = 1
    """Last frames of a chunk by which one is chosen, 0 for all (Eq. 2)."""
    tolerance: float = 0.1
    """What the own chunk may be judged below the best one and needs no correction, as in self_improve."""
    time_shift: float = 0.0
    """Control steps by which chunks that are chosen from come early or late at most, as in self_improve."""
    tool_shift: float = 0.0
    """Standard deviation in m by which they aim beside, likewise."""
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
    best = {directory: found.bin_asked(None) for directory, found in loaded.items()}
    if len(set(best.values())) > 1:
        raise ConfigError(f"these policies are not asked for the same advantage bin, the best one of each: {best}")
    task = TaskSetting.of(recorded_task(episodes), args.level, args.bricks)
    simulator = SimulatedWorldModel(episodes, task, workers=args.workers)
    judges: dict[str, WorldModel] = {"the simulator": simulator}
    if args.run is not None:
        learned = LearnedWorldModel(args.run, episodes.contract)
        judges["true frames and learned value"] = SimulatedWorldModel(
            episodes, task, learned.judge, workers=args.workers
        )
        judges["the learned world model"] = learned
    starts, episode_of = spread_states(episodes, np.random.default_rng(args.seed), args.states)
    rows = one_step(
        {name: found.policy for name, found in loaded.items()},
        simulator,
        starts,
        episode_of,
        judges=judges,
        best_of=args.best_of,
        explore=Explorer.of(episodes.contract, args.time_shift, args.tool_shift),
        judged_frames=args.judged_frames,
        tolerance=args.tolerance,
        top_bin=next(iter(best.values())),
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
            + (f"; {row.pairs['rate']:.3f} of {row.pairs['pairs']} pairs right" if row.pairs else "")
        )


def main() -> None:
    cli.run(lambda: compare(tyro.cli(Args, description=__doc__)))


if __name__ == "__main__":
    main()

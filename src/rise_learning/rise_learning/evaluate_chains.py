"""How far may imagination be chained? Recorded commands are followed choice after choice in the world model of RUN.

    python -m rise_learning.evaluate_chains --run RUN --bags held_out/rollouts

Best for rollouts of the policy that is to be improved, successes and failures, which no training has read: whether V at
the end of a chain tells them apart is what `self_improve --training.rehearse` rests on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.evaluation.followed_chains import chain_lines, chain_report, follow
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.learned_from import load_unread
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import trained_contract


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_chains."""

    run: Path
    """Run directory with dynamics and value."""
    bags: tuple[Path, ...]
    """Bags that no training of the run has read."""
    links: int = 7
    """Links of 5 frames that chains go on by at most; behind the last one a whole chunk is imagined."""
    start_frames: int = 6
    """Of every episode one chain begins among its first so many frames."""
    seed: int = 0
    threads: int = 1
    out: Path | None = None
    """Also write the result as JSON here."""
    json: bool = False
    """Print JSON only."""


def evaluate(args: Args) -> list[dict]:
    """Follow one chain of every episode; a row a link.

    Raises:
        ConfigError: nothing to follow.
        DataError: the run has read one of the episodes.
        ContractMismatchError: the bags are of another robot.
    """
    if args.links < 0 or args.start_frames < 1:
        raise ConfigError(f"no negative links, and one start frame at least; got {args.links} and {args.start_frames}")
    cli.use_threads(args.threads)
    contract = trained_contract(args.run / "dynamics")
    model = LearnedWorldModel(args.run, contract)
    config = model.model.dynamics.config
    size = config.height, config.width
    episodes = load_unread(args.bags, size, args.run, ("value", "dynamics"), contract)
    rng = np.random.default_rng(args.seed)
    length = episodes.last_frame - episodes.first_frame
    starts = episodes.first_frame + rng.integers(0, np.minimum(args.start_frames, np.maximum(length, 1)))
    rows = chain_report(follow(model, episodes, starts, args.links, args.seed), contract.frames_per_chunk)
    if args.out:
        write_json(args.out, {"args": args, "links": rows})
    return rows


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        rows = evaluate(args)
        print(json.dumps(to_plain(rows)) if args.json else "\n".join(chain_lines(rows)))

    cli.run(work)


if __name__ == "__main__":
    main()

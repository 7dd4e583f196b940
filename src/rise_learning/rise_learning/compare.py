"""Compare policies scene by scene, from the evaluation*.json that `evaluate` wrote beside them.

    python -m rise_learning.compare --runs WORK/seed_0 WORK/seed_1 --policies imitation policy learned/self_improved

The last policy is compared with each of the others, scene by scene. Several runs are several training seeds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.evaluation.paired import Evaluated, difference, gain_text
from rise_learning.evaluation.results import rate_of
from rise_learning.training.run_directory import to_plain, write_json

ALL = "all"


@dataclass(frozen=True)
class Args:
    """Flags of compare."""

    runs: tuple[Path, ...]
    """Run directories, e.g. of several training seeds."""
    policies: tuple[str, ...]
    """Directories of policies in every run; the last one is compared with each of the others."""
    files: str = "evaluation*.json"
    """Which files of a policy's directory to read."""
    out: Path | None = None
    """Also write the result as JSON here."""
    json: bool = False
    """Print JSON only."""


def compare(args: Args) -> dict[str, Any]:
    """Rates and differences per run, and of all runs together.

    Raises:
        ConfigError: nothing to compare; the policies of a run were evaluated on other scenes.
        DataError: a file is no evaluation, or tells of a scene once more.
    """
    *others, last = args.policies
    if not others or len(set(args.policies)) < len(args.policies):
        raise ConfigError(f"two policies at least, each once; got {', '.join(args.policies)}")
    names = [run.resolve().name for run in args.runs]
    if len(set(names)) < len(names) or ALL in names:
        raise ConfigError(f"runs need names of their own, and none is {ALL!r}; got {', '.join(names)}")
    found = {
        name: {policy: _evaluated(run / policy, args.files) for policy in args.policies}
        for name, run in zip(names, args.runs, strict=True)
    }
    rates = {name: {policy: each.rate() for policy, each in row.items()} for name, row in found.items()}
    gains = {other: {name: difference([(row[other], row[last])]) for name, row in found.items()} for other in others}
    if len(found) > 1:
        rates[ALL] = {
            policy: rate_of(*(sum(rates[name][policy][key] for name in names) for key in ("successes", "episodes")))
            for policy in args.policies
        }
        for other in others:
            gains[other][ALL] = difference([(row[other], row[last]) for row in found.values()])
    deployments = {policy: {name: row[policy].deployment for name, row in found.items()} for policy in args.policies}
    result = {"policies": rates, "compared": last, "with": gains, "deployment": deployments}
    if args.out:
        write_json(args.out, {"args": args, **result})
    return result


def _evaluated(policy: Path, pattern: str) -> Evaluated:
    files = sorted(policy.glob(pattern))
    if not files:
        raise ConfigError(
            f"{policy} holds no {pattern}; `evaluate --run {policy} --out {policy}/evaluation.json` makes one"
        )
    return Evaluated.read(files)


def lines(result: dict[str, Any]) -> list[str]:
    """What `compare` found, for a terminal."""
    policies = list(result["deployment"])
    table = [["", *policies]]
    for name, row in result["policies"].items():
        table.append([name, *(_rate(row[policy]) for policy in policies)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    for other, gains in result["with"].items():
        text += ["", f"{result['compared']} over {other}, points of success scene by scene, +- standard error:"]
        text += [f"  {name.ljust(widths[0])}  {gain_text(each)}" for name, each in gains.items()]
    text += _deployed_otherwise(result["deployment"])
    return text


def _deployed_otherwise(deployments: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """Notes of what not all evaluations had: policy -> run -> its deployment."""
    every = {f"{run}/{policy}": each for policy, runs in deployments.items() for run, each in runs.items()}
    notes = []
    for key in sorted({key for each in every.values() for key in each}):
        values = {name: each.get(key) for name, each in every.items()}
        usual = next(iter(values.values()))
        if others := [f"{value} ({name})" for name, value in values.items() if value != usual]:
            notes += ["", f"note: deployed with {key} {', '.join(others)}, otherwise {usual}"]
    return notes


def _rate(rate: dict[str, Any]) -> str:
    low, high = rate["wilson95"]
    return f"{rate['successes']} of {rate['episodes']}, {rate['success_rate']:.0%} ({low:.0%} to {high:.0%})"


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        result = compare(args)
        print(json.dumps(to_plain(result)) if args.json else "\n".join(lines(result)))

    cli.run(work)


if __name__ == "__main__":
    main()

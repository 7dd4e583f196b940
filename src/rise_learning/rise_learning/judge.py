"""Judge policies on a real robot by the rubric of Table VII, blinded: a form per trial, the records of `evaluate`.

The judge sees letters. Who loads the policies reads OUT/key.json; nobody else should before the end. An interrupted
session goes on where it was: the same command again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from rise_learning import cli
from rise_learning.evaluation.form import Ask, form_of
from rise_learning.evaluation.results import sentence
from rise_learning.evaluation.trials import TrialBook
from rise_learning.policy.location import policy_directory
from rise_learning.training.run_directory import write_json


@dataclass(frozen=True)
class Args:
    """Flags of judge."""

    policies: tuple[Path, ...]
    """Run directories, or those of single policies, that are compared."""
    out: Path
    """Directory of this comparison: key.json, judged.jsonl, and one result per policy at the end."""
    task: str = "brick_sorting"
    trials: int = 20
    """Trials of each policy (20 in the paper)."""
    seed: int = 0
    """Of letters and order."""


def ask_terminal(question: str) -> str:
    """`input`; the end of input ends the session as Ctrl-C does."""
    try:
        return input(question)
    except EOFError:
        raise KeyboardInterrupt from None


def judge(args: Args, ask: Ask = ask_terminal) -> None:
    """Go through the trials that are left, then tell the letters and print the table."""
    form = form_of(args.task)
    policies = [str(policy_directory(path)) for path in args.policies]
    book = TrialBook(args.out, args.task, policies, args.trials, args.seed)
    for trial in book.left:
        ask(f"\nTrial {trial.number} of {len(book.trials)}: policy {trial.label}. Set up the scene; Enter starts it. ")
        begun = time.monotonic()
        ask("Enter ends it. ")
        result = form.fill(ask, trial.number, time.monotonic() - begun)
        while ask(f"Score {result.score:g}, success: {result.success}. Enter keeps it, anything else asks again. "):
            result = form.fill(ask, trial.number, result.duration_s)
        book.add(trial, result)
    for summary in book.summaries():
        write_json(args.out / f"{summary['label']}.json", summary)
        print(sentence(f"{summary['label']} {summary['policy']}", summary, "trials"))


def main() -> None:
    cli.run(lambda: judge(tyro.cli(Args, description=__doc__)))


if __name__ == "__main__":
    main()

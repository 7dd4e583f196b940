"""Evaluate a policy in the simulated robot: success rate with Wilson interval, mean rubric score; --record keeps bags.

RUN is a run directory (its newest stage is evaluated: self_improved, else policy, else imitation) or that of a policy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from rise_learning import cli
from rise_learning.errors import ConfigError
from rise_learning.evaluation.agent import Chooser, DeploymentConfig, PolicyAgent
from rise_learning.evaluation.choice import ImaginedChoice, SimulatedChoice
from rise_learning.evaluation.rehearsal import RehearsingAgent
from rise_learning.evaluation.results import sentence, summarize
from rise_learning.evaluation.runner import evaluate_policy
from rise_learning.policy.location import policy_directory
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.learned_from import warn_of_known_scenes
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import trained_contract
from rise_robot.node_table import EVALUATION_SEED
from rise_robot.sim.tasks import TaskSetting

RECORDED_SEED = 2_000_000
"""First seed of episodes that are recorded to learn from; those that are counted begin at EVALUATION_SEED."""


@dataclass(frozen=True)
class Args:
    """Flags of evaluate."""

    run: Path
    """Run directory, or the directory of one policy."""
    task: str = "brick_sorting"
    episodes: int = 50
    seed: int | None = None
    """Seed of the first episode; 1,000,000 if not given, with --record 2,000,000: what is recorded is there to learn
    from, and those scenes are no longer held out."""
    level: str | None = None
    """Difficulty (docs/tasks.md); not given: one brick, and `default` for the other tasks."""
    bricks: int | None = None
    """Bricks on the belt, 1 to 4, instead of the level's; brick_sorting only."""
    record: Path | None = None
    """Also record the episodes as rollouts into this bag directory."""
    intervene: bool = False
    """With --record: an expert takes over once upon imminent failure and finishes; such episodes become corrections
    (kind dagger). The success rate is then that of policy and expert together."""
    choose_by: Literal["imagination", "simulator", "rehearsal"] = "imagination"
    """What chooses where --deployment.candidates is above 1: the world model of RUN; what each chunk comes to in the
    simulator; or how the episode ends there behind it when the policy plays on, a ceiling that no robot reaches."""
    out: Path | None = None
    """Write the result as JSON here; default: evaluation.json beside the policy; of what is recorded,
    which is no evaluation, BAG.json beside the bag."""
    workers: int = 2
    json: bool = False
    """Print JSON only."""
    deployment: DeploymentConfig = field(default_factory=DeploymentConfig)


@dataclass(frozen=True)
class MakeChooser:
    """What chooses among candidates, made in a worker process; equal ones share it."""

    choose_by: str
    run: Path
    judged_frames: int
    tolerance: float

    def __call__(self) -> Chooser:
        """Raises CheckpointError where `run` holds no world model."""
        if self.choose_by == "simulator":
            return SimulatedChoice(self.judged_frames, self.tolerance)
        world_model = LearnedWorldModel(self.run, trained_contract(self.run / "dynamics"))
        return ImaginedChoice(world_model, self.judged_frames, self.tolerance)


def evaluate(args: Args) -> None:
    """Run the episodes, print and store the result."""
    directory = policy_directory(args.run)
    task = TaskSetting.of(args.task, args.level, args.bricks)
    first = args.seed if args.seed is not None else EVALUATION_SEED if args.record is None else RECORDED_SEED
    seeds = list(range(first, first + args.episodes))
    if args.record is None:
        warn_of_known_scenes(directory, args.task, seeds)
    if args.intervene and args.record is None:
        raise ConfigError("--intervene collects corrections; say with --record where they go")
    deployed = args.deployment
    rehearse = deployed.candidates > 1 and args.choose_by == "rehearsal"
    chooser = MakeChooser(args.choose_by, args.run, deployed.judged_frames, deployed.tolerance)
    results = evaluate_policy(
        directory,
        deployed,
        task,
        seeds,
        workers=args.workers,
        record=args.record,
        intervene=args.intervene,
        chooser=chooser if deployed.candidates > 1 and not rehearse else None,
        agent_class=RehearsingAgent if rehearse else PolicyAgent,
    )
    summary = {"policy": str(directory), "task": args.task, "config": task.config, **summarize(results)}
    beside = directory / "evaluation.json" if args.record is None else args.record.with_suffix(".json")
    out = args.out or beside
    write_json(out, {**summary, "deployment": deployed, "results": results})
    if args.json:
        print(json.dumps(to_plain(summary)))
        return
    print(sentence(directory, summary))


def main() -> None:
    cli.run(lambda: evaluate(tyro.cli(Args, description=__doc__)))


if __name__ == "__main__":
    main()

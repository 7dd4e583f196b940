"""The whole way in the simulated cell: from a ROS 2 bag to a policy that improved itself in imagination.

    python -m rise_learning.demo --out runs/demo

Every command is printed before it runs and can be copied. An interrupted demo continues where it was. It ends with a
table, OUT/summary.json and OUT/report.html.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import tyro

from rise_learning import cli
from rise_learning.evaluation.stages import Command, Stage, StageLog, run_stages
from rise_learning.evaluation.summary import summarize_run, table
from rise_learning.training.run_directory import write_json

POLICY_BAGS = ("live", "demonstrations", "rollouts", "corrections")
"""What a policy learns from: demonstrations, its own rollouts and corrections (Sec. XI). The world model learns from
the expert's deliberate failures and from open-loop chunks as well."""


@dataclass(frozen=True)
class DemoConfig:
    """Every amount of the demo, made for two CPU cores and 25 minutes.

    Seeds are apart: no episode that is evaluated shares its scene with one that was trained on.
    """

    preset: str = "tiny"
    task: str = "brick_sorting"
    contract: str = "contract_tiny.yaml"
    bricks: int = 1
    processes: int = 2
    """Processes of collecting and evaluating; threads of training."""
    live_episodes: int = 3
    """Demonstrations recorded live, over ROS 2, in real time."""
    live_seed: int = 50_000
    demonstrations: int = 80
    demonstrations_seed: int = 0
    demonstrations_noise: float = 0.015
    """Highest standard deviation of noise on executed commands, rad; the command without it is the label."""
    imitation_steps: int = 1200
    rollouts: int = 100
    """Episodes of the imitation policy, recorded with their successes and failures."""
    rollouts_seed: int = 700_000
    open_loop: int = 100
    """Of its episodes, those in which every chunk is played to its end: what commands lead to that see no outcome."""
    open_loop_seed: int = 720_000
    open_loop_steps: int = 48
    corrections: int = 100
    """Episodes in which an expert takes over from the imitation policy where it is about to fail (DAgger)."""
    corrections_seed: int = 710_000
    corrupted: int = 200
    """Episodes of an expert that fails on purpose."""
    corrupted_seed: int = 600_000
    corrupted_noise: float = 0.03
    corrupted_offset: tuple[float, float] = (0.01, 0.06)
    """Distance by which its grasps miss, m; it never notices, so that its commands do not tell the outcome."""
    corruption_rate: float = 0.75
    noisy: int = 60
    """Episodes of an expert with strong noise: what wild motion leads to."""
    noisy_seed: int = 650_000
    noisy_noise: tuple[float, float] = (0.03, 0.3)
    value_steps: int = 1500
    dynamics_steps: int = 300
    warmup_steps: int = 1000
    self_improve_steps: int = 400
    evaluation_episodes: int = 150
    """Of each policy, on the same scenes."""
    evaluation_seed: int = 1_000_000
    states: int = 100
    """Saved states from which imagination is compared with the simulator."""
    states_seed: int = 3_000_000


@dataclass(frozen=True)
class Args:
    """Flags of the demo."""

    out: Path = Path("runs/demo")
    """Run directory; bags, models, summary and report go there."""
    fresh: bool = False
    """Begin anew, whatever is there already."""
    config: tyro.conf.OmitArgPrefixes[DemoConfig] = field(default_factory=DemoConfig)


def demo_stages(out: Path, config: DemoConfig) -> tuple[Stage, ...]:
    """The stages in order; their commands are all that happens."""
    return (*_data(out, config), *_training(out, config), *_evaluation(out, config))


def _data(out: Path, config: DemoConfig) -> tuple[Stage, ...]:
    live, clean = out / "bags" / "live", out / "bags" / "demonstrations"
    bringup = _module("rise_robot.bringup", hardware="sim", task=config.task, contract=config.contract)
    session = _flags(bricks=config.bricks, episodes=config.live_episodes, seed=config.live_seed, record=live)
    noise = ("--noise", "0", str(config.demonstrations_noise))
    collect = (*_collect(config, config.demonstrations, config.demonstrations_seed), *noise, *_flags(out=clean))
    imitate = _module("rise_learning.train_policy", "--imitation", bags=(live, clean))
    imitate = (*imitate, *_training_flags(out, config, config.imitation_steps))
    return (
        Stage("record_live", ((*bringup, *session), _module("rise_robot.bag.check", live)), (live,)),
        Stage("collect_demonstrations", (collect,), (clean,)),
        Stage("train_imitation", (imitate,), (out / "imitation",), resumes=True),
        _rollouts(out, config),
    )


def _rollouts(out: Path, config: DemoConfig) -> Stage:
    names = ("rollouts", "open_loop", "corrections", "corrupted", "noisy")
    bags, result = {name: out / "bags" / name for name in names}, out / "rollouts.json"
    rollouts = _evaluate(out / "imitation", config, config.rollouts, config.rollouts_seed)
    open_loop = _evaluate(out / "imitation", config, config.open_loop, config.open_loop_seed)
    corrections = _evaluate(out / "imitation", config, config.corrections, config.corrections_seed)
    corrupted = _collect(config, config.corrupted, config.corrupted_seed)
    noisy = _collect(config, config.noisy, config.noisy_seed)
    commands = (
        (*rollouts, *_flags(record=bags["rollouts"], out=result)),
        (
            *open_loop,
            *("--deployment.replan-steps", str(config.open_loop_steps)),
            *_flags(record=bags["open_loop"], out=out / "open_loop.json"),
        ),
        (*corrections, "--intervene", *_flags(record=bags["corrections"], out=out / "corrections.json")),
        (
            *corrupted,
            *("--blind", "--noise", "0", str(config.corrupted_noise)),
            *("--grasp-offset", *map(str, config.corrupted_offset)),
            *_flags(kind="rollout", corruption_rate=config.corruption_rate, out=bags["corrupted"]),
        ),
        (*noisy, "--noise", *map(str, config.noisy_noise), *_flags(kind="rollout", out=bags["noisy"])),
    )
    return Stage("collect_rollouts", commands, (*bags.values(), result))


def _training(out: Path, config: DemoConfig) -> tuple[Stage, ...]:
    everything, its_own = (out / "bags",), tuple(out / "bags" / name for name in POLICY_BAGS)
    settings = (
        ("train_value", "value", config.value_steps, (), everything),
        ("train_dynamics", "dynamics", config.dynamics_steps, (), everything),
        ("train_policy", "policy", config.warmup_steps, ("--init", str(out / "imitation")), its_own),
        ("self_improve", "self_improved", config.self_improve_steps, (), its_own),
    )
    stages = []
    for name, directory, steps, more, bags in settings:
        command = (*_module(f"rise_learning.{name}", *more, bags=bags), *_training_flags(out, config, steps))
        stages.append(Stage(name, (command,), (out / directory,), resumes=True))
    return tuple(stages)


def _evaluation(out: Path, config: DemoConfig) -> tuple[Stage, ...]:
    stages = [
        Stage(
            f"evaluate_{name}",
            (_evaluate(out / name, config, config.evaluation_episodes, config.evaluation_seed),),
            (out / name / "evaluation.json",),
        )
        for name in ("imitation", "policy", "self_improved")
    ]
    world_model = _module(
        "rise_learning.evaluate_world_model",
        run=out,
        states=config.states,
        seed=config.states_seed,
        bricks=config.bricks,
        workers=config.processes,
        threads=config.processes,
    )
    return (*stages, Stage("evaluate_world_model", (world_model,), (out / "world_model.json", out / "world_model")))


def _collect(config: DemoConfig, episodes: int, seed: int) -> Command:
    return _module(
        "rise_robot.collect",
        task=config.task,
        contract=_contract_path(config),
        bricks=config.bricks,
        episodes=episodes,
        seed=seed,
        workers=config.processes,
    )


def _evaluate(policy: Path, config: DemoConfig, episodes: int, seed: int) -> Command:
    return _module(
        "rise_learning.evaluate",
        run=policy,
        task=config.task,
        bricks=config.bricks,
        episodes=episodes,
        seed=seed,
        workers=config.processes,
    )


def _training_flags(out: Path, config: DemoConfig, steps: int) -> Command:
    return (*_flags(preset=config.preset, threads=config.processes, out=out), "--training.loop.steps", str(steps))


def _contract_path(config: DemoConfig) -> Path:
    from rise_robot.core.contract import config_path

    path = Path(config.contract)
    return path if path.is_file() else config_path(config.contract)


def _module(name: str, *words: object, **flags: object) -> Command:
    return ("-m", name, *map(str, words), *_flags(**flags))


def _flags(**flags: object) -> Command:
    """`--name value` for each; a tuple gives several values."""
    words: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return tuple(words)


def run(args: Args) -> None:
    """All stages that are not done yet, then summary, report and table."""
    out = args.out
    out.mkdir(parents=True, exist_ok=True)
    stages, log = demo_stages(out, args.config), StageLog(out / "demo.json")
    environment = {"RISE_CACHE": str(out.resolve() / "cache"), **os.environ}
    print(f"export RISE_CACHE={environment['RISE_CACHE']}  # decoded bags; these commands may be copied", flush=True)
    run_stages(stages, log, environment, fresh=args.fresh)
    write_json(out / "demo_config.json", asdict(args.config))
    write_json(out / "summary.json", summarize_run(out, log.timings(stages)))
    show = _module("rise_learning.report", run=out, bags=(out / "bags",), threads=args.config.processes)
    report = Stage("report", (show,), (out / "report.html",))
    run_stages((report,), log, environment, fresh=True)
    summary = summarize_run(out, log.timings((*stages, report)))
    write_json(out / "summary.json", summary)
    print(f"\n{table(summary)}\n\n{out / 'summary.json'}\n{out / 'report.html'}")


def main() -> None:
    args = tyro.cli(Args, description=__doc__)
    cli.run(lambda: run(args))


if __name__ == "__main__":
    main()

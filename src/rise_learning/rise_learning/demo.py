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
from rise_learning.evaluation.stages import Command, Lanes, Stage, StageLog, run_stages
from rise_learning.evaluation.summary import summarize_run, table
from rise_learning.training.run_directory import write_json
from rise_robot.core.contract import Contract, config_path

POLICY_BAGS = ("live", "demonstrations", "rollouts", "corrections")
"""What a policy learns from: demonstrations, its own rollouts and corrections (Sec. XI). The world model learns from
its explored chunks and from the expert's deliberate failures as well."""
EXPLORED = {"time_shift": 14, "tool_shift": 0.02}
"""How chunks are varied, control steps and m: those recorded for the world model and those that are imagined."""
IMAGINED_EPISODES = {
    "guided_chunks": 8,
    "led_chunks": 3,
    "candidates": 8,
    "judged_frames": 12,
    "tolerance": 0.15,
    "start_frames": 8,
    "minimum_value": 0.8,
    "attempts": 3,
    "failed_share": 0.75,
    "offline_share": 0.2,
    "buffer_size": 32768,
    **EXPLORED,
}
"""Self-improvement as in docs/decisions/0022: episodes from well before the first grasp, mostly where recordings
failed; led by the world model until fingers have closed, seen to the end, and tried again where that is not good."""
BRICK = (0.052, 0.04, 0.04)
"""m along the belt, across it and high: how control maps draw bricks (docs/decisions/0020)."""


@dataclass(frozen=True)
class DemoConfig:
    """Every amount of the demo, made for two CPU cores and about an hour of CPU.

    Seeds are apart: no episode that is evaluated shares its scene with one that was trained on.
    """

    preset: str = "tiny"
    task: str = "brick_sorting"
    level: str = "steady"
    """Two bricks on a belt of one speed: the speed of others is not to be seen in the frames that `tiny` looks at."""
    contract: str = "contract_tiny.yaml"
    processes: int = 2
    """Processes of collecting, imagining and evaluating; threads of trainings that nothing else runs beside."""
    live_episodes: int = 3
    """Demonstrations recorded live, over ROS 2, in real time."""
    live_seed: int = 50_000
    demonstrations: int = 30
    demonstrations_seed: int = 0
    imprecision: float = 0.02
    """Standard deviation of where every grasp of a demonstration aims, m."""
    imitation_steps: int = 2000
    rollouts: int = 300
    """Episodes of the imitation policy, recorded with their successes and failures."""
    rollouts_seed: int = 700_000
    explored: int = 300
    """Of its episodes, those in which every chunk is varied as it will be in imagination."""
    explored_seed: int = 720_000
    corrections: int = 50
    """Episodes in which an expert takes over from the imitation policy where it is about to fail (DAgger)."""
    corrections_seed: int = 710_000
    corrupted: int = 100
    """Episodes of an expert that fails on purpose."""
    corrupted_seed: int = 600_000
    corrupted_noise: float = 0.03
    corrupted_offset: tuple[float, float] = (0.01, 0.06)
    """Distance by which its grasps miss, m; it never notices, so that its commands do not tell the outcome."""
    corruption_rate: float = 0.75
    dynamics_steps: int = 400
    links: int = 5
    """Chains of imagined contexts that the dynamics learn to go on from, and whose frames the value model is shown."""
    value_steps: int = 1000
    value_imagined_share: float = 0.5
    """Share of its frames that the value model is shown as the dynamics show them."""
    value_imagined_chunks: int = 512
    warmup_steps: int = 700
    warmup_rate: float = 5e-4
    self_improve_steps: int = 4000
    self_improve_rate: float = 1e-3
    imagined_episodes: int = 150
    """At each rollout stage."""
    rollout_every: int = 2000
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


def demo_stages(out: Path, config: DemoConfig) -> tuple[Stage | Lanes, ...]:
    """The stages in order; their commands are all that happens."""
    of_policies = {name: _evaluation(out, config, name) for name in ("imitation", "policy", "self_improved")}
    trained = _training(out, config)
    return (
        *_data(out, config),
        Lanes(((trained["train_dynamics"],), (of_policies["imitation"],))),
        trained["train_value"],
        trained["train_policy"],
        trained["self_improve"],
        Lanes(((_world_model(out, config),), (of_policies["policy"], of_policies["self_improved"]))),
    )


def _data(out: Path, config: DemoConfig) -> tuple[Stage, ...]:
    live, clean = out / "bags" / "live", out / "bags" / "demonstrations"
    cell = _flags(task=config.task, level=config.level, contract=config.contract)
    bringup = _module("rise_robot.bringup", "--hardware", "sim", *cell)
    session = _flags(episodes=config.live_episodes, seed=config.live_seed, record=live)
    collect = _collect(config, config.demonstrations, config.demonstrations_seed)
    collect = (*collect, *_flags(imprecision=config.imprecision, out=clean))
    imitate = _module("rise_learning.train_policy", "--imitation", bags=(live, clean))
    imitate = (*imitate, *_training_flags(out, config, config.imitation_steps, threads=config.processes))
    return (
        Stage("record_live", ((*bringup, *session), _module("rise_robot.bag.check", live)), (live,)),
        Stage("collect_demonstrations", (collect,), (clean,)),
        Stage("train_imitation", (imitate,), (out / "imitation",), resumes=True),
        _rollouts(out, config),
    )


def _rollouts(out: Path, config: DemoConfig) -> Stage:
    names = ("rollouts", "explored", "corrections", "corrupted")
    bags, result = {name: out / "bags" / name for name in names}, out / "rollouts.json"
    rollouts = _evaluate(out / "imitation", config, config.rollouts, config.rollouts_seed)
    explored = _evaluate(out / "imitation", config, config.explored, config.explored_seed)
    corrections = _evaluate(out / "imitation", config, config.corrections, config.corrections_seed)
    corrupted = _collect(config, config.corrupted, config.corrupted_seed)
    commands = (
        (*rollouts, *_flags(record=bags["rollouts"], out=result)),
        (*explored, *_flags("deployment", **EXPLORED), *_flags(record=bags["explored"], out=out / "explored.json")),
        (*corrections, "--intervene", *_flags(record=bags["corrections"], out=out / "corrections.json")),
        (
            *corrupted,
            *("--blind", "--noise", "0", str(config.corrupted_noise)),
            *("--grasp-offset", *map(str, config.corrupted_offset)),
            *_flags(kind="rollout", corruption_rate=config.corruption_rate, out=bags["corrupted"]),
        ),
    )
    return Stage("collect_rollouts", commands, (*bags.values(), result))


def _training(out: Path, config: DemoConfig) -> dict[str, Stage]:
    everything, its_own = (out / "bags",), tuple(out / "bags" / name for name in POLICY_BAGS)
    links = {"imagined_links": config.links}
    drawn = ("--map-objects", *_flags(object_size=BRICK), *_flags("training", **links))
    shown = {"imagined_share": config.value_imagined_share, "imagined_chunks": config.value_imagined_chunks, **links}
    warmup = (*_flags(init=out / "imitation"), *_flags("training.loop", learning_rate=config.warmup_rate))
    led = _flags(
        "training",
        starts_per_rollout=config.imagined_episodes,
        rollout_every=config.rollout_every,
        **IMAGINED_EPISODES,
    )
    led = (*led, *_flags("training.loop", learning_rate=config.self_improve_rate))
    cores = config.processes
    settings = (
        ("train_dynamics", "dynamics", config.dynamics_steps, 1, drawn, everything),
        ("train_value", "value", config.value_steps, cores, _flags("training", **shown), everything),
        ("train_policy", "policy", config.warmup_steps, cores, warmup, its_own),
        ("self_improve", "self_improved", config.self_improve_steps, cores, led, its_own),
    )
    stages = {}
    for name, directory, steps, threads, more, bags in settings:
        flags = _training_flags(out, config, steps, threads)
        command = (*_module(f"rise_learning.{name}", bags=bags), *flags, *more)
        stages[name] = Stage(name, (command,), (out / directory,), resumes=True)
    return stages


def _evaluation(out: Path, config: DemoConfig, name: str) -> Stage:
    command = _evaluate(out / name, config, config.evaluation_episodes, config.evaluation_seed)
    return Stage(f"evaluate_{name}", (command,), (out / name / "evaluation.json",))


def _world_model(out: Path, config: DemoConfig) -> Stage:
    command = _module(
        "rise_learning.evaluate_world_model",
        run=out,
        states=config.states,
        seed=config.states_seed,
        level=config.level,
        workers=config.processes,
        threads=config.processes,
    )
    return Stage("evaluate_world_model", (command,), (out / "world_model.json", out / "world_model"))


def _collect(config: DemoConfig, episodes: int, seed: int) -> Command:
    return _module(
        "rise_robot.collect",
        task=config.task,
        contract=_contract_path(config),
        level=config.level,
        episodes=episodes,
        seed=seed,
        workers=config.processes,
    )


def _evaluate(policy: Path, config: DemoConfig, episodes: int, seed: int) -> Command:
    return _module(
        "rise_learning.evaluate",
        run=policy,
        task=config.task,
        level=config.level,
        episodes=episodes,
        seed=seed,
        workers=config.processes,
    )


def _training_flags(out: Path, config: DemoConfig, steps: int, threads: int) -> Command:
    return (*_flags(preset=config.preset, threads=threads, out=out), *_flags("training.loop", steps=steps))


def _contract_path(config: DemoConfig) -> Path:
    path = Path(config.contract)
    return path if path.is_file() else config_path(config.contract)


def _module(name: str, *words: object, **flags: object) -> Command:
    return ("-m", name, *map(str, words), *_flags(**flags))


def _flags(group: str = "", /, **flags: object) -> Command:
    """`--group.name value` for each; a tuple gives several values."""
    words: list[str] = []
    for name, value in flags.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{group}{'.' if group else ''}{name.replace('_', '-')}", *map(str, values)]
    return tuple(words)


def run(args: Args) -> None:
    """All stages that are not done yet, then summary, report and table."""
    out = args.out
    out.mkdir(parents=True, exist_ok=True)
    contract = Contract.load(_contract_path(args.config)).digest
    plan, log = demo_stages(out, args.config), StageLog(out / "demo.json", contract)
    environment = {"RISE_CACHE": str(out.resolve() / "cache"), **os.environ}
    print(f"export RISE_CACHE={environment['RISE_CACHE']}  # decoded bags; these commands may be copied", flush=True)
    run_stages(plan, log, environment, fresh=args.fresh)
    write_json(out / "demo_config.json", asdict(args.config))
    write_json(out / "summary.json", summarize_run(out, log.timings(plan), log.wall_time(plan)))
    show = _module("rise_learning.report", run=out, bags=(out / "bags",), threads=args.config.processes)
    report = Stage("report", (show,), (out / "report.html",))
    run_stages((report,), log, environment, fresh=True)
    whole = (*plan, report)
    summary = summarize_run(out, log.timings(whole), log.wall_time(whole))
    write_json(out / "summary.json", summary)
    print(f"\n{table(summary)}\n\n{out / 'summary.json'}\n{out / 'report.html'}")


def main() -> None:
    args = tyro.cli(Args, description=__doc__)
    cli.run(lambda: run(args))


if __name__ == "__main__":
    main()

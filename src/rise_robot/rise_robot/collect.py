"""Collect episodes of the scripted expert into a bag, faster than real time.

    python -m rise_robot.collect --task brick_sorting --episodes 50 --seed 0 --out bags/demos
    python -m rise_robot.collect --task box_closing --level hard --episodes 50 --out bags/boxes --json
    python -m rise_robot.collect --task backpack_packing --agent random --kind rollout --episodes 20 --out bags/random
    python -m rise_robot.collect --episodes 200 --seed 10000 --out bags/rollouts --kind rollout \
        --noise 0 0.03 --corruption-rate 0.6
    python -m rise_robot.collect --task box_closing --out bags/corrections --kind dagger --corruption-rate 1

Demonstrations are successes of the uncorrupted expert: episodes that physics calls failures are discarded, and how
many is said. Rollouts keep every episode. In a dagger episode the expert that fails on purpose commands until a failure
is imminent, then a clean one finishes (`sim.intervention`); episodes in which that was not needed are discarded. Those
of a trained policy are recorded by `rise_learning.evaluate --record --intervene`. Episode i is made from seed + i
alone, so that the same command gives the same bag, whatever the number of workers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rise_robot.bag.episode import Episode
from rise_robot.bag.episode_writer import write_episode
from rise_robot.bag.writer import BagWriter
from rise_robot.collect_config import AGENTS, CollectConfig, draw_corruption
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.episodes import KINDS
from rise_robot.core.errors import RiseRobotError, SimulationError
from rise_robot.recording import FIRST_START_NS, PAUSE_NS, collect_episode, shifted
from rise_robot.sim.episode import Agent
from rise_robot.sim.experts import EXPERTS, make_expert
from rise_robot.sim.intervention import InterventionAgent
from rise_robot.sim.random_motion import RandomMotion
from rise_robot.sim.robot import SimulatedRobot
from rise_robot.sim.tasks import TASKS

MAX_ATTEMPTS = 4
"""Attempts per episode of the bag, after which the settings are called unfit for it."""


@dataclass
class CollectSummary:
    """What was collected.

    Attributes:
        episodes, successes, failures: of the bag; demonstrations that failed and corrections without a take-over are
            not in it.
        attempts: episodes that were run, `discarded` ones included.
        success_rate, score_mean, wall_s_per_episode: over the attempts.
        next_seed: the first one not tried.
    """

    out: str
    task: str
    kind: str
    contract: str
    episodes: int = 0
    successes: int = 0
    failures: int = 0
    discarded: int = 0
    attempts: int = 0
    success_rate: float = 0.0
    score_mean: float = 0.0
    wall_s_per_episode: float = 0.0
    steps: int = 0
    simulated_s: float = 0.0
    wall_s: float = 0.0
    seed: int = 0
    next_seed: int = 0


class Collector:
    """Makes episodes one by one: one simulated robot, used again."""

    def __init__(self, config: CollectConfig, contract: Contract) -> None:
        self.config = config
        self._robot = SimulatedRobot(contract, config.task, config.task_config)

    def episode(self, seed: int) -> Episode:
        """The episode of a seed, beginning at stamp 0."""
        rng = np.random.default_rng([seed, 1])
        name, corruption = draw_corruption(self.config, rng)
        self._robot.reset(seed)
        agent: Agent = make_expert(self._robot, rng, corruption)
        if self.config.agent == "random":
            name, agent = "random", RandomMotion(self._robot, rng)
        if self.config.kind == "dagger":
            agent = InterventionAgent(self._robot, agent, np.random.default_rng([seed, 2]))
        label = f"{self.config.task}-{self.config.kind}-{name}-{self.config.digest}-{seed:06d}"
        return collect_episode(self._robot, agent, seed, episode_id=label, kind=self.config.kind, start_ns=0)

    def close(self) -> None:
        self._robot.close()


def collect(
    config: CollectConfig, contract: Contract, out: str | Path, *, workers: int = 1, progress: bool = True
) -> CollectSummary:
    """Collect into a new bag directory.

    Args:
        workers: processes; the bag does not depend on it.

    Raises:
        SimulationError: the expert fails too often to give the demonstrations that were asked for.
        BagError: the bag cannot be written.
    """
    begun = time.monotonic()
    summary = CollectSummary(
        str(out), config.task, config.kind, f"{contract.name} ({contract.digest})", seed=config.seed
    )
    start_ns, scores, succeeded = FIRST_START_NS, 0.0, 0
    with (
        BagWriter(out, contract) as bag,
        tqdm(total=config.episodes, unit="episode", desc=config.kind, disable=not progress, file=sys.stderr) as bar,
    ):
        episodes = _episodes(config, contract, workers)
        try:
            for episode in episodes:
                summary.attempts += 1
                scores += episode.score
                succeeded += episode.outcome == "success"
                if not _belongs(episode):
                    summary.discarded += 1
                    _refuse_unfit(config, summary)
                    continue
                episode = shifted(episode, start_ns)
                write_episode(bag, episode)
                start_ns = episode.end_ns + PAUSE_NS
                _count(summary, episode)
                bar.set_postfix_str(f"{summary.successes} successes, {summary.discarded} discarded")
                bar.update()
                if summary.episodes == config.episodes:
                    break
        finally:
            episodes.close()
    summary.wall_s = time.monotonic() - begun
    summary.success_rate, summary.score_mean = succeeded / summary.attempts, scores / summary.attempts
    summary.wall_s_per_episode = summary.wall_s / summary.attempts
    summary.next_seed = config.seed + summary.attempts
    return summary


def _belongs(episode: Episode) -> bool:
    """Whether an episode is of its kind: a demonstration succeeds, somebody takes over in a correction."""
    if episode.kind == "demonstration":
        return episode.outcome == "success"
    return episode.kind == "rollout" or bool(episode.human.any())


def _count(summary: CollectSummary, episode: Episode) -> None:
    summary.episodes += 1
    summary.successes += episode.outcome == "success"
    summary.failures += episode.outcome == "failure"
    summary.steps += len(episode.commands)
    summary.simulated_s += episode.duration_s


_REMEDY = {
    "demonstration": "the expert failed; lower --noise, --bricks or --level",
    "dagger": "nothing called for a correction; raise --corruption-rate or --noise",
}


def _refuse_unfit(config: CollectConfig, summary: CollectSummary) -> None:
    if summary.discarded > (MAX_ATTEMPTS - 1) * config.episodes + 20:
        raise SimulationError(
            f"{summary.discarded} of {summary.attempts} episodes were no {config.kind}: {_REMEDY[config.kind]}"
        )


def _episodes(config: CollectConfig, contract: Contract, workers: int) -> Generator[Episode, None, None]:
    """Episodes of seed, seed + 1, ... in that order, without end."""
    return _serial(config, contract) if workers <= 1 else _parallel(config, contract, workers)


def _serial(config: CollectConfig, contract: Contract) -> Generator[Episode, None, None]:
    collector, seed = Collector(config, contract), config.seed
    try:
        while True:
            yield collector.episode(seed)
            seed += 1
    finally:
        collector.close()


def _parallel(config: CollectConfig, contract: Contract, workers: int) -> Generator[Episode, None, None]:
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(config, contract)
    )
    pending: deque[Future[Episode]] = deque()
    seed = config.seed
    try:
        while True:
            while len(pending) < 2 * workers:
                pending.append(pool.submit(_worker_episode, seed))
                seed += 1
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_collector: Collector | None = None
"""Of a worker process."""


def _start_worker(config: CollectConfig, contract: Contract) -> None:
    global _collector
    _collector = Collector(config, contract)


def _worker_episode(seed: int) -> Episode:
    assert _collector is not None
    return _collector.episode(seed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rise_robot.collect",
        description="Collect episodes of the scripted expert into a bag, faster than real time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--task", default="brick_sorting", choices=sorted(TASKS))
    add("--episodes", type=int, default=10, help="episodes to keep")
    add("--seed", type=int, default=0, help="seed of the first episode; the next one is seed + 1")
    add("--out", type=Path, required=True, help="bag directory to create")
    add("--contract", type=Path, default=config_path("contract_tiny.yaml"), help="contract of robot and bag")
    add(
        "--kind",
        default="demonstration",
        choices=KINDS,
        help="demonstration keeps successes only, dagger episodes in which an expert took over from one that failed",
    )
    add("--agent", default="expert", choices=AGENTS, help="the scripted expert, or smooth random motion (a rollout)")
    add("--level", help="difficulty: easy, default, hard, steady (docs/tasks.md); not given: one brick, else default")
    add("--bricks", type=int, nargs="+", help="number of bricks, or lowest and highest, instead of the level's")
    add("--noise", type=float, nargs=2, default=[0.0, 0.0], metavar=("LOW", "HIGH"),
        help="standard deviation of noise on executed commands, rad, drawn per episode")  # fmt: skip
    known = "; ".join(f"{name}: {', '.join(spec.failures)}" for name, spec in EXPERTS.items())
    add("--corruptions", nargs="+", help=f"deliberate failures to draw from, all when not given. {known}")
    add("--corruption-rate", type=float, default=0.0, help="share of episodes with a deliberate failure")
    add("--corruption-probability", type=float, default=0.8, help="per attempt at a brick in such an episode")
    add("--grasp-offset", type=float, nargs=2, default=[0.02, 0.05], metavar=("LOW", "HIGH"),
        help="by which a corrupted grasp misses, m")  # fmt: skip
    add("--blind", action="store_true", help="the expert carries on as if every grasp had worked")
    add("--imprecision", type=float, default=0.0, help="standard deviation of where every grasp aims, m; brick_sorting")
    add("--workers", type=int, default=1, help="processes; the bag does not depend on it")
    add("--json", action="store_true", help="print the summary as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        config = CollectConfig(
            task=options.task,
            episodes=options.episodes,
            seed=options.seed,
            kind=options.kind,
            agent=options.agent,
            level=options.level,
            bricks=(min(options.bricks), max(options.bricks)) if options.bricks else None,
            noise=tuple(options.noise),
            corruptions=tuple(options.corruptions) if options.corruptions else None,
            corruption_rate=options.corruption_rate,
            corruption_probability=options.corruption_probability,
            grasp_offset=tuple(options.grasp_offset),
            blind=options.blind,
            imprecision=options.imprecision,
        )
        contract = Contract.load(options.contract)
        summary = collect(config, contract, options.out, workers=options.workers)
    except RiseRobotError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; the episodes so far are in {options.out}", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(asdict(summary)))
    else:
        print(
            f"{summary.out}: {summary.episodes} episodes ({summary.successes} successes, {summary.failures} failures), "
            f"{summary.discarded} discarded that were no {summary.kind}; success rate "
            f"{summary.success_rate:.0%}, mean score {summary.score_mean:.2f}; "
            f"{summary.simulated_s:.0f} s of simulated time in {summary.wall_s:.1f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

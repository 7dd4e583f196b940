"""What leading imagined episodes gains truly: from recorded states of the simulator they are led by the learned world
model of RUN and played by the policy alone, and the commands of both are then played in the simulator.

V rises where episodes are led; this tells how much of that is so, and whether imagining them anew tells it apart
(self_improve --training.minimum-gain, --training.judgements).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro

from rise_learning import cli
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError
from rise_learning.evaluation.led_episodes import Gain, gains, learned_from, led_and_alone
from rise_learning.evaluation.spread_states import spread_states
from rise_learning.policy.checkpoint import load_warmed_up
from rise_learning.presets import get_preset
from rise_learning.rl.exploration import Explorer
from rise_learning.rl.imagined_episodes import Guidance
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.rl.simulated_world_model import SimulatedWorldModel, recorded_task
from rise_learning.training.run_directory import to_plain, write_json
from rise_robot.sim.tasks import TaskSetting

FEWEST_STATES = 8


@dataclass(frozen=True)
class Args:
    """Flags of evaluate_leading."""

    bags: tuple[Path, ...]
    """Bags of the simulator that the states are taken from; best those that no training has read."""
    policy: Path
    """Directory of the policy that is led."""
    run: Path
    """Run directory with the value and dynamics that lead."""
    preset: str = "tiny"
    states: int = 64
    """From one episode each as far as they go, errors are by episode."""
    start_frames: int = 8
    """Only the first so many frames of an episode are states to begin from; 0 takes all of them."""
    guidance: Guidance = field(default_factory=lambda: Guidance(chunks=3, judged_frames=12))
    judgements: int = 3
    """Times that the commands of both are imagined anew."""
    onward_chunks: int = 8
    """Chunks that the policy plays on for in the simulator, behind the commands, to see whether the task gets done."""
    time_shift: float = 14.0
    """Control steps by which chunks come early or late at most, as in self_improve."""
    tool_shift: float = 0.02
    """Standard deviation in m by which they aim beside, likewise."""
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


def compare(args: Args) -> None:
    """Play the episodes, print and store the result."""
    if args.states < FEWEST_STATES or min(args.judgements, args.onward_chunks) < 1:
        raise ConfigError(
            f"needs {FEWEST_STATES} states, 1 judgement and 1 onward chunk at least; got {args.states}, "
            f"{args.judgements} and {args.onward_chunks}"
        )
    cli.use_threads(args.threads)
    episodes = load_bags(list(args.bags), get_preset(args.preset).image_size)
    trained, bins = load_warmed_up(args.policy, episodes.contract)
    task = TaskSetting.of(recorded_task(episodes), args.level, args.bricks)
    starts, episode_of = spread_states(episodes, np.random.default_rng(args.seed), args.states, args.start_frames)
    led, alone = led_and_alone(
        trained.policy,
        LearnedWorldModel(args.run, episodes.contract, workers=args.threads),
        SimulatedWorldModel(episodes, task, workers=args.threads),
        starts,
        args.guidance,
        explore=Explorer.of(episodes.contract, args.time_shift, args.tool_shift),
        top_bin=bins.top,
        flow_steps=args.flow_steps,
        judgements=args.judgements,
        onward_chunks=args.onward_chunks,
        seed=args.seed,
    )
    found = gains(led, alone, episode_of)
    kept = learned_from(led, alone)
    result = {"args": args, "gains": found, "learned_from": kept, "ends": {"led": led, "alone": alone}}
    if args.out:
        write_json(args.out, result)
    if args.json:
        print(json.dumps(to_plain(result)))
        return
    for gain in found:
        print(sentence(gain))
    print(
        "done when played on: {done_led:.0%} led, {done_alone:.0%} alone; of the {kept} of {episodes} that end well in "
        "imagination {kept_done_led:.0%}, of the same scenes alone {kept_done_alone:.0%}".format(**kept)
    )


def sentence(gain: Gain) -> str:
    """One line for people."""
    (imagined, _), (true, error), (best, best_error) = gain.imagined, gain.true, gain.best
    return (
        f"{gain.judge}: leading gains {imagined:+.3f} of V and truly {true:+.3f} +- {error:.3f} over {gain.episodes} "
        f"episodes, correlation {gain.correlation:.2f}; the quarter that it likes best truly {best:+.3f} +- "
        f"{best_error:.3f}, {gain.better} better and {gain.worse} worse"
    )


def main() -> None:
    cli.run(lambda: compare(tyro.cli(Args, description=__doc__)))


if __name__ == "__main__":
    main()

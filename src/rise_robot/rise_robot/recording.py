"""Episodes of the simulated robot without ROS: what the recorder would have written, as an `Episode`.

Example, a policy's rollouts into a bag:
    with BagWriter("bags/rollouts", robot.contract) as bag:
        start_ns = FIRST_START_NS
        for seed in range(100):
            episode = collect_episode(robot, policy, seed, kind="rollout", episode_id=f"p1-{seed}", start_ns=start_ns)
            write_episode(bag, episode)
            start_ns = episode.end_ns + PAUSE_NS
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rise_robot.bag.episode import CameraStream, Episode
from rise_robot.core.contract import Contract
from rise_robot.core.episodes import Kind, Outcome
from rise_robot.core.images import encode_jpeg
from rise_robot.sim.episode import Agent, Tick, stream_episode
from rise_robot.sim.robot import SimulatedRobot

FIRST_START_NS = 1_000_000_000
"""Simulated time of the first episode in a bag; not 0, which ROS takes for "no time"."""
PAUSE_NS = 1_000_000_000
"""Simulated time between two episodes of a bag."""


def collect_episode(
    robot: SimulatedRobot,
    agent: Agent,
    seed: int,
    *,
    episode_id: str,
    kind: Kind,
    start_ns: int = FIRST_START_NS,
) -> Episode:
    """Run one episode and record it with stamps of simulated time; the outcome is what physics decided.

    Args:
        agent: an expert or a policy. `agent.clean_action`, where it has one, is kept as the command before noise.
        seed: of the scene.
        start_ns: stamp of the episode's first observation.
    """
    ticks = list(stream_episode(robot, agent, seed))
    episode = _episode_of(ticks, robot, episode_id, kind, seed)
    return shifted(episode, start_ns)


def shifted(episode: Episode, offset_ns: int) -> Episode:
    """The same episode `offset_ns` later."""
    return dataclasses.replace(
        episode,
        joint_stamps=episode.joint_stamps + offset_ns,
        command_stamps=episode.command_stamps + offset_ns,
        images={name: (stamps + offset_ns, files) for name, (stamps, files) in episode.images.items()},
        events=[dataclasses.replace(event, stamp=event.stamp + offset_ns) for event in episode.events],
        start_ns=episode.start_ns + offset_ns,
        end_ns=episode.end_ns + offset_ns,
    )


def _episode_of(ticks: Sequence[Tick], robot: SimulatedRobot, episode_id: str, kind: Kind, seed: int) -> Episode:
    sent = [tick for tick in ticks if tick.command is not None]
    outcome: Outcome = "unknown" if robot.outcome == "running" else robot.outcome
    return Episode(
        episode_id=episode_id,
        task=robot.task.name,
        instruction=robot.instruction,
        kind=kind,
        outcome=outcome,
        score=robot.score,
        seed=seed,
        contract=robot.contract,
        joint_stamps=np.array([tick.stamp for tick in ticks], np.int64),
        joint_positions=np.array([tick.joint_positions for tick in ticks]),
        command_stamps=np.array([tick.stamp for tick in sent], np.int64),
        commands=np.array([tick.command for tick in sent]),
        clean_commands=np.array([tick.clean_command for tick in sent]),
        human=np.array([tick.human for tick in sent]),
        images=_images(ticks, robot.contract),
        events=[event for tick in ticks for event in tick.events],
        start_ns=ticks[0].stamp,
        end_ns=ticks[-1].stamp,
        joint_velocities=np.array([tick.joint_velocities for tick in ticks]),
        joint_efforts=np.array([tick.joint_efforts for tick in ticks]),
        intrinsics={name: robot.intrinsics(name) for name in robot.contract.camera_names},
    )


def _images(ticks: Sequence[Tick], contract: Contract) -> dict[str, CameraStream]:
    images = {}
    for name in contract.camera_names:
        due = [tick for tick in ticks if name in tick.images]
        files = [encode_jpeg(tick.images[name], contract.jpeg_quality) for tick in due]
        images[name] = (np.array([tick.stamp for tick in due], np.int64), files)
    return images

"""An `Episode` into a bag: the inverse of the reader, for `collect` and for imported recordings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rise_robot.bag import messages, schema
from rise_robot.bag.episode import Episode
from rise_robot.bag.writer import BagWriter
from rise_robot.core.episodes import Kind, Outcome

Entry = tuple[int, str, memoryview]
"""Stamp (ns), relative topic, CDR."""

MODES: dict[Kind, str] = {"demonstration": "demo", "rollout": "policy", "dagger": "policy"}


def write_episode(bag: BagWriter, episode: Episode) -> None:
    """Append all messages of an episode in the order of their stamps, with the marks around them.

    Raises:
        ContractMismatchError: the episode has another contract than the bag.
        BagError: the bag cannot be written.
    """
    bag.contract.require_same(episode.contract, ours=f"bag {bag.path}", theirs=episode.label)
    entries = [*_joints(episode), *_commands(episode), *_images(episode)]
    for event in episode.events:
        entries.append((event.stamp, schema.EPISODE_RUBRIC, messages.rubric_event(event, episode.episode_id)))
        running = episode_status(event.stamp, episode, "running", "unknown", event.score)
        entries.append((event.stamp, schema.EPISODE_STATUS, running))
    entries.sort(key=lambda entry: entry[0])
    bag.write(
        schema.EPISODE_STATUS, episode.start_ns, episode_status(episode.start_ns, episode, "started", "unknown", 0)
    )
    for stamp, topic, data in entries:
        bag.write(topic, stamp, data)
    ended = episode_status(episode.end_ns, episode, "ended", episode.outcome, episode.score)
    bag.write(schema.EPISODE_STATUS, episode.end_ns, ended)


def episode_status(stamp: int, episode: Episode, state: str, outcome: Outcome, score: float) -> memoryview:
    """rise_msgs/EpisodeStatus of an episode."""
    return messages.serialize(
        "rise_msgs/msg/EpisodeStatus",
        header=messages.header(stamp),
        episode_id=episode.episode_id,
        task=episode.task,
        instruction=episode.instruction,
        kind=episode.kind,
        state=state,
        outcome=outcome,
        score=float(score),
        seed=int(episode.seed),
    )


def _joints(episode: Episode) -> Iterator[Entry]:
    names = episode.contract.joint_names
    for index, stamp in enumerate(episode.joint_stamps.tolist()):
        extra = [
            messages.NONE if values is None else values[index]
            for values in (episode.joint_velocities, episode.joint_efforts)
        ]
        yield stamp, schema.JOINT_STATES, messages.joint_state(stamp, names, episode.joint_positions[index], *extra)


def _commands(episode: Episode) -> Iterator[Entry]:
    names = episode.contract.joint_names
    noisy = not np.array_equal(episode.commands, episode.clean_commands)
    for index, stamp in enumerate(episode.command_stamps.tolist()):
        mode = "human" if episode.human[index] else MODES[episode.kind]
        yield stamp, schema.CONTROL_STATUS, messages.control_status(stamp, mode)
        yield stamp, schema.JOINT_COMMAND, messages.joint_state(stamp, names, episode.commands[index])
        if noisy:
            yield stamp, schema.CLEAN_COMMAND, messages.joint_state(stamp, names, episode.clean_commands[index])


def _images(episode: Episode) -> Iterator[Entry]:
    for camera in episode.contract.cameras:
        stamps, files = episode.images[camera.name]
        intrinsics = episode.intrinsics.get(camera.name)
        for stamp, jpeg in zip(stamps.tolist(), files, strict=True):
            yield stamp, camera.compressed_topic, messages.compressed_image(stamp, camera.frame_id, jpeg)
            if intrinsics is not None:
                info = messages.camera_info(stamp, camera.frame_id, camera.height, camera.width, intrinsics)
                yield stamp, camera.info_topic, info

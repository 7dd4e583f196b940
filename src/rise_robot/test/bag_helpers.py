"""A small made-up episode with known content, for the tests of bags."""

from __future__ import annotations

import dataclasses

import numpy as np

from rise_robot.bag.episode import Episode
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.images import encode_jpeg
from rise_robot.core.resampling import grid_times
from rise_robot.core.rubric import RubricEventRecord


def tiny_contract() -> Contract:
    """The tiny contract with 16x24 cameras, so that tests are quick."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    cameras = tuple(dataclasses.replace(camera, height=16, width=24) for camera in contract.cameras)
    return dataclasses.replace(contract, cameras=cameras)


def make_episode(name: str = "e0", start_s: float = 1.0, steps: int = 31, seed: int = 0, **changes: object) -> Episode:
    """An episode of random numbers on an exact grid; its marks lie half a second around it."""
    rng = np.random.default_rng(seed)
    contract = tiny_contract()
    start = int(start_s * 1e9)
    times = grid_times(start, steps, contract.control_rate_hz)
    frames = times[:: contract.actions_per_frame]
    lower, upper = contract.joint_array("lower"), contract.joint_array("upper")
    commands = rng.uniform(lower, upper, (steps, contract.action_dim))
    images = {
        camera.name: (frames, [_picture(rng, camera.height, camera.width) for _ in frames])
        for camera in contract.cameras
    }
    episode = Episode(
        episode_id=name,
        task="brick_sorting",
        instruction="sort the bricks",
        kind="demonstration",
        outcome="success",
        score=3.0,
        seed=seed,
        contract=contract,
        joint_stamps=times,
        joint_positions=rng.uniform(lower, upper, (steps, contract.action_dim)),
        command_stamps=times,
        commands=commands,
        clean_commands=commands,
        human=np.zeros(steps, bool),
        images=images,
        events=[RubricEventRecord(int(times[steps // 2]), "grasp", "brick_0/red", 1.0, 1.0)],
        start_ns=start - 500_000_000,
        end_ns=int(times[-1]) + 500_000_000,
        joint_velocities=rng.normal(size=(steps, contract.action_dim)),
        intrinsics={camera.name: np.array([[20.0, 0, 12], [0, 20.0, 8], [0, 0, 1]]) for camera in contract.cameras},
    )
    return dataclasses.replace(episode, **changes)


def same(a: Episode, b: Episode) -> bool:
    """Equal in everything but the source."""
    for field in dataclasses.fields(Episode):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if field.name == "source":
            continue
        if field.name == "images":
            if one.keys() != two.keys() or any(
                not np.array_equal(one[k][0], two[k][0]) or one[k][1] != two[k][1] for k in one
            ):
                return False
        elif field.name == "intrinsics":
            if one.keys() != two.keys() or any(not np.array_equal(one[k], two[k]) for k in one):
                return False
        elif isinstance(one, np.ndarray):
            if not np.array_equal(one, two):
                return False
        elif one != two:
            return False
    return True


def _picture(rng: np.random.Generator, height: int, width: int) -> bytes:
    return encode_jpeg(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), 95)

"""Between ROS messages and the plain values of the cores."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from rise_msgs.msg import ActionChunk, EpisodeStatus, RubricEvent
from rise_robot.core.chunk import Chunk, Trajectory, make_chunk, make_trajectory
from rise_robot.core.contract import CameraSpec, Contract
from rise_robot.core.errors import CommandError
from rise_robot.core.rubric import RubricEventRecord


def to_time(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def to_header(stamp_ns: int, frame_id: str = "") -> Header:
    return Header(stamp=to_time(stamp_ns), frame_id=frame_id)


def stamp_of(message: Any) -> int:
    """Header stamp in ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def is_running(status: EpisodeStatus) -> bool:
    """The episode has begun and not ended; else the status is its end, or a later label."""
    return status.state in (EpisodeStatus.STATE_STARTED, EpisodeStatus.STATE_RUNNING)


def joint_state(
    contract: Contract,
    stamp_ns: int,
    position: np.ndarray,
    velocity: np.ndarray | None = None,
    effort: np.ndarray | None = None,
) -> JointState:
    """All (A,) in contract order: rad, rad/s, N m; grippers m, m/s, N."""
    return JointState(
        header=to_header(stamp_ns),
        name=list(contract.joint_names),
        position=array.array("d", position),
        velocity=array.array("d", velocity if velocity is not None else ()),
        effort=array.array("d", effort if effort is not None else ()),
    )


def positions_of(message: JointState, contract: Contract) -> np.ndarray:
    """(A,) positions in contract order; more joints than the contract's are allowed, fewer are a CommandError."""
    index = {name: i for i, name in enumerate(message.name)}
    missing = [name for name in contract.joint_names if name not in index]
    if missing or len(message.position) != len(message.name):
        raise CommandError(
            f"joint state has {len(message.position)} positions for {list(message.name)}; missing are {missing}"
        )
    return np.array([message.position[index[name]] for name in contract.joint_names])


def chunk_of(message: ActionChunk, contract: Contract) -> Chunk:
    """Raises CommandError when the message is not a chunk of this contract."""
    return make_chunk(
        contract,
        stamp_ns=stamp_of(message),
        joint_names=message.joint_names,
        dt=message.dt,
        chunk_size=message.chunk_size,
        positions=message.positions,
        policy_version=message.policy_version,
        advantage_bin=message.advantage_bin,
    )


def chunk_message(chunk: Chunk, contract: Contract) -> ActionChunk:
    return ActionChunk(
        header=to_header(chunk.stamp_ns),
        joint_names=list(contract.joint_names),
        dt=contract.control_period_s,
        chunk_size=len(chunk.actions),
        positions=array.array("d", chunk.actions.ravel()),
        policy_version=chunk.policy_version,
        advantage_bin=chunk.advantage_bin,
    )


def trajectory_of(message: JointTrajectory, contract: Contract) -> Trajectory:
    """Raises CommandError when the message is not a trajectory of this contract."""
    return make_trajectory(
        contract,
        stamp_ns=stamp_of(message),
        joint_names=message.joint_names,
        times_s=[p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in message.points],
        positions=[list(p.positions) for p in message.points],
    )


def target_message(contract: Contract, stamp_ns: int, target: np.ndarray) -> JointTrajectory:
    """A trajectory of one point (A,) that is due at once, as a leader arm or a scripted expert streams them."""
    point = JointTrajectoryPoint(positions=array.array("d", target))
    return JointTrajectory(header=to_header(stamp_ns), joint_names=list(contract.joint_names), points=[point])


def image(camera: CameraSpec, stamp_ns: int, frame: np.ndarray) -> Image:
    """frame: (H, W, 3) uint8 RGB."""
    height, width, _ = frame.shape
    return Image(
        header=to_header(stamp_ns, camera.frame_id),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=array.array("B", frame.tobytes()),
    )


def compressed(camera: CameraSpec, stamp_ns: int, jpeg: bytes) -> CompressedImage:
    return CompressedImage(
        header=to_header(stamp_ns, camera.frame_id),
        format="rgb8; jpeg compressed bgr8",
        data=array.array("B", jpeg),
    )


def camera_info(camera: CameraSpec, stamp_ns: int, intrinsics: np.ndarray) -> CameraInfo:
    """An undistorted pinhole camera; intrinsics: (3, 3) pixels."""
    projection = np.zeros((3, 4))
    projection[:, :3] = intrinsics
    return CameraInfo(
        header=to_header(stamp_ns, camera.frame_id),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=intrinsics.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=projection.ravel().tolist(),
    )


def rubric_message(event: RubricEventRecord, episode_id: str) -> RubricEvent:
    return RubricEvent(
        header=to_header(event.stamp),
        episode_id=episode_id,
        name=event.name,
        subject=event.subject,
        score_delta=float(event.score_delta),
        score=float(event.score),
    )

"""Numbers to serialized ROS messages (CDR) and back, with no ROS installed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from rise_robot.bag import schema
from rise_robot.core.rubric import RubricEventRecord

NONE = np.empty(0)
"""An empty float64 sequence."""


def header(stamp: int, frame_id: str = "") -> Any:
    """std_msgs/Header of a stamp in ns."""
    types = schema.typestore().types
    time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
    return types["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def stamp_of(message: Any) -> int:
    """Header stamp in ns."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def stamp_in(data: bytes | memoryview) -> int:
    """Header stamp in ns of a serialized message whose first field is a header; the rest is not decoded."""
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return seconds * 10**9 + nanoseconds


def serialize(msgtype: str, **fields: Any) -> memoryview:
    """CDR of a message built from its fields."""
    store = schema.typestore()
    return store.serialize_cdr(store.types[msgtype](**fields), msgtype)


def deserialize(data: bytes | memoryview, msgtype: str) -> Any:
    """The message of a CDR buffer; rise_msgs and the standard types of Jazzy."""
    return schema.typestore().deserialize_cdr(data, msgtype)


def joint_state(
    stamp: int, names: Sequence[str], position: np.ndarray, velocity: np.ndarray = NONE, effort: np.ndarray = NONE
) -> memoryview:
    """sensor_msgs/JointState; all (A,) float64, rad, rad/s, N m (grippers m, m/s, N)."""
    return serialize(
        schema.JOINT_STATE_TYPE,
        header=header(stamp),
        name=list(names),
        position=np.asarray(position, np.float64),
        velocity=np.asarray(velocity, np.float64),
        effort=np.asarray(effort, np.float64),
    )


def compressed_image(stamp: int, frame_id: str, jpeg: bytes) -> memoryview:
    """sensor_msgs/CompressedImage of an RGB image's JPEG file."""
    data = np.frombuffer(jpeg, np.uint8)
    return serialize(schema.IMAGE_TYPE, header=header(stamp, frame_id), format="rgb8; jpeg compressed bgr8", data=data)


def camera_info(stamp: int, frame_id: str, height: int, width: int, intrinsics: np.ndarray) -> memoryview:
    """sensor_msgs/CameraInfo of an undistorted pinhole camera; intrinsics: (3, 3), pixels."""
    projection = np.zeros((3, 4))
    projection[:, :3] = intrinsics
    region = schema.typestore().types["sensor_msgs/msg/RegionOfInterest"]
    return serialize(
        schema.INFO_TYPE,
        header=header(stamp, frame_id),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.asarray(intrinsics, np.float64).reshape(9),
        r=np.eye(3).reshape(9),
        p=projection.reshape(12),
        binning_x=0,
        binning_y=0,
        roi=region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )


def control_status(stamp: int, mode: str, *, limit_hits: int = 0, reason: str = "") -> memoryview:
    """rise_msgs/ControlStatus of a commander other than the policy (no chunk)."""
    return serialize(
        "rise_msgs/msg/ControlStatus",
        header=header(stamp),
        mode=mode,
        chunk_age=float("nan"),
        limit_hits=limit_hits,
        refused=0,
        stale_holds=0,
        reason=reason,
    )


def rubric_event(event: RubricEventRecord, episode_id: str) -> memoryview:
    """rise_msgs/RubricEvent."""
    return serialize(
        "rise_msgs/msg/RubricEvent",
        header=header(event.stamp),
        episode_id=episode_id,
        name=event.name,
        subject=event.subject,
        score_delta=float(event.score_delta),
        score=float(event.score),
    )


def string(text: str) -> memoryview:
    """std_msgs/String."""
    return serialize(schema.STRING_TYPE, data=text)

"""What a bag of a contract holds: topics, types, quality of service, and the message types themselves.

No ROS is needed: the standard types of Jazzy come with `rosbags`, those of rise_msgs are parsed from their .msg files,
and their type hashes equal those on the wire.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from rise_robot.core.contract import Contract
from rise_robot.core.errors import BagError

JOINT_STATES = "joint_states"
JOINT_COMMAND = "joint_command"
CLEAN_COMMAND = "expert/joint_command"
ACTION_CHUNK = "policy/action_chunk"
POLICY_STATUS = "policy/status"
CONTROL_STATUS = "control/status"
EPISODE_STATUS = "episode/status"
EPISODE_RUBRIC = "episode/rubric"
CONTRACT = "contract"

JOINT_STATE_TYPE = "sensor_msgs/msg/JointState"
IMAGE_TYPE = "sensor_msgs/msg/CompressedImage"
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
STRING_TYPE = "std_msgs/msg/String"

Service = Literal["sensor", "command", "event", "latched"]


@dataclass(frozen=True)
class TopicSpec:
    """One topic of a bag.

    Attributes:
        name: relative; a node's namespace comes before it.
        service: quality of service. sensor: best effort, depth 5. command: reliable, depth 1. event: reliable, depth
            100. latched: reliable, transient local, depth 1.
        rate_hz: expected rate; None when it follows events or has no fixed rate.
        required: an episode without it is refused.
    """

    name: str
    msgtype: str
    service: Service
    rate_hz: float | None = None
    required: bool = False


def topics(contract: Contract) -> tuple[TopicSpec, ...]:
    """Everything that a recorder of this contract writes."""
    rate = contract.control_rate_hz
    cameras = [
        spec
        for camera in contract.cameras
        for spec in (
            TopicSpec(camera.compressed_topic, IMAGE_TYPE, "sensor", camera.rate_hz, required=True),
            TopicSpec(camera.info_topic, INFO_TYPE, "sensor", camera.rate_hz),
        )
    ]
    return (
        TopicSpec(CONTRACT, STRING_TYPE, "latched"),
        TopicSpec(EPISODE_STATUS, "rise_msgs/msg/EpisodeStatus", "latched", required=True),
        TopicSpec(EPISODE_RUBRIC, "rise_msgs/msg/RubricEvent", "event"),
        TopicSpec(JOINT_STATES, JOINT_STATE_TYPE, "sensor", rate, required=True),
        TopicSpec(JOINT_COMMAND, JOINT_STATE_TYPE, "command", rate, required=True),
        TopicSpec(CONTROL_STATUS, "rise_msgs/msg/ControlStatus", "latched", rate),
        *cameras,
        TopicSpec(ACTION_CHUNK, "rise_msgs/msg/ActionChunk", "command"),
        TopicSpec(POLICY_STATUS, "rise_msgs/msg/PolicyStatus", "latched"),
        TopicSpec(CLEAN_COMMAND, JOINT_STATE_TYPE, "command"),
    )


def rosbag_qos(service: Service) -> Qos:
    """The profile of a service class as rosbag2 stores it."""
    forever = QosTime(9223372036, 854775807)
    return Qos(
        QosHistory.KEEP_LAST,
        {"sensor": 5, "command": 1, "event": 100, "latched": 1}[service],
        QosReliability.BEST_EFFORT if service == "sensor" else QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if service == "latched" else QosDurability.VOLATILE,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        False,
    )


@functools.cache
def typestore() -> Typestore:
    """Message types of Jazzy and of rise_msgs. Shared: do not register other types in it."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted(messages_path().glob("*.msg")):
        store.register(get_types_from_msg(path.read_text(), f"rise_msgs/msg/{path.stem}"))
    return store


def messages_path() -> Path:
    """Directory of rise_msgs' .msg files: of the source tree, else of an installed package.

    Raises:
        BagError: none is found.
    """
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    candidates = [parent / "rise_msgs" / "msg" for parent in Path(__file__).resolve().parents]
    candidates += [prefix / "share" / "rise_msgs" / "msg" for prefix in (*prefixes, Path(sys.prefix))]
    for candidate in candidates:
        if (candidate / "EpisodeStatus.msg").is_file():
            return candidate
    raise BagError("the .msg files of rise_msgs are neither beside the source tree nor in share/rise_msgs; build it")

"""The contract: the one description of what a robot senses and does (config/contract.yaml)."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rise_robot.core.errors import ContractError, ContractMismatchError

UNITS = ("rad", "m")


@dataclass(frozen=True)
class JointSpec:
    """One actuated degree of freedom; `unit` is rad or m, rates are per second."""

    name: str
    unit: str
    lower: float
    upper: float
    max_velocity: float
    max_acceleration: float


@dataclass(frozen=True)
class CameraSpec:
    """One camera; `topic` is its raw image, and `compressed_topic` the JPEG that is recorded and learned from."""

    name: str
    topic: str
    frame_id: str
    height: int
    width: int
    rate_hz: float
    max_age_s: float

    @property
    def compressed_topic(self) -> str:
        return f"{self.topic}/compressed"

    @property
    def info_topic(self) -> str:
        return f"{self.topic.rsplit('/', 1)[0]}/camera_info"


def _require_positive(name: str, value: float) -> None:
    """What bounds something must be a number: NaN and infinity would silently switch the check off."""
    if not 0 < value < math.inf:
        raise ContractError(f"{name} must be a finite number above 0, got {value}")


def _require_usable(joint: JointSpec) -> None:
    if joint.unit not in UNITS:
        raise ContractError(f"{joint.name}: unit must be one of {', '.join(UNITS)}, got {joint.unit!r}")
    if not -math.inf < joint.lower < joint.upper < math.inf:
        raise ContractError(f"{joint.name}: lower {joint.lower} must be below upper {joint.upper}, both finite")
    for name in ("max_velocity", "max_acceleration"):
        _require_positive(f"{joint.name} {name}", getattr(joint, name))


@dataclass(frozen=True)
class Contract:
    """What recording, training and deployment agree on.

    Attributes:
        control_rate_hz: rate of `joint_command`; one action per period.
        chunk_size: actions of one policy chunk (H of the paper).
        actions_per_frame: control periods between two frames of the dynamics model.
        context_frames: frames of history that the dynamics model sees.
        joints: in the order of every action and state vector.
        cameras: in the order of every stack of views.
        joint_state_max_age_s: older joint feedback is stale.
        chunk_max_age_s: a chunk that answers an older observation is refused.
    """

    name: str
    version: int
    robot: str
    dh_convention: str
    control_rate_hz: float
    chunk_size: int
    actions_per_frame: int
    context_frames: int
    joints: tuple[JointSpec, ...]
    cameras: tuple[CameraSpec, ...]
    jpeg_quality: int
    joint_state_max_age_s: float
    chunk_max_age_s: float

    def __post_init__(self) -> None:
        names = self.joint_names
        if len(set(names)) != len(names) or not names:
            raise ContractError(f"joint names must be unique and at least one, got {list(names)}")
        if len(set(self.camera_names)) != len(self.cameras) or not self.cameras:
            raise ContractError(f"camera names must be unique and at least one, got {list(self.camera_names)}")
        for joint in self.joints:
            _require_usable(joint)
        ages = {f"camera {camera.name} max_age_s": camera.max_age_s for camera in self.cameras}
        ages |= {name: getattr(self, name) for name in ("control_rate_hz", "joint_state_max_age_s", "chunk_max_age_s")}
        for name, value in ages.items():
            _require_positive(name, value)
        if self.chunk_size % self.actions_per_frame:
            raise ContractError(
                f"chunk_size {self.chunk_size} must be a multiple of actions_per_frame {self.actions_per_frame}"
            )

    @property
    def action_dim(self) -> int:
        return len(self.joints)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def camera_names(self) -> tuple[str, ...]:
        return tuple(camera.name for camera in self.cameras)

    @property
    def control_period_s(self) -> float:
        return 1.0 / self.control_rate_hz

    @property
    def frames_per_chunk(self) -> int:
        """Predicted frames of one chunk (25 at the paper's 50 actions)."""
        return self.chunk_size // self.actions_per_frame

    def joint_array(self, field: str) -> np.ndarray:
        """(A,) float64 of one JointSpec field, e.g. `joint_array("lower")`."""
        return np.array([getattr(joint, field) for joint in self.joints])

    def to_yaml(self) -> str:
        return yaml.safe_dump(_plain(dataclasses.asdict(self)), sort_keys=False)

    @cached_property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of the contract's content; comments and layout do not count."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()[:12]

    def require_same(self, other: Contract, *, ours: str, theirs: str) -> None:
        """Raise ContractMismatchError naming both sides and each differing field.

        Args:
            ours, theirs: what each side is, for the message ("checkpoint runs/demo/policy", "bag bags/demos").
        """
        mine, its = dataclasses.asdict(self), dataclasses.asdict(other)
        differing = [key for key in mine if mine[key] != its[key]]
        if differing:
            lines = "\n".join(f"  {key}: {mine[key]!r} != {its[key]!r}" for key in differing)
            raise ContractMismatchError(
                f"{ours} has contract {self.name} ({self.digest}), but {theirs} has {other.name} ({other.digest}):\n"
                f"{lines}\nUse bags and checkpoints of one contract, or record and train again."
            )

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "contract") -> Contract:
        """Parse and validate; unknown, missing or mistyped fields raise ContractError naming `source`."""
        try:
            raw = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ContractError(f"{source} is not valid YAML: {error}") from error
        if not isinstance(raw, dict):
            raise ContractError(f"{source}: expected a mapping, got {type(raw).__name__}")
        try:
            raw["joints"] = tuple(JointSpec(**joint) for joint in raw.get("joints", ()))
            raw["cameras"] = tuple(CameraSpec(**camera) for camera in raw.get("cameras", ()))
            return cls(**raw)
        except TypeError as error:
            expected = [field.name for field in dataclasses.fields(cls)]
            raise ContractError(f"{source}: {error}; expected fields {expected}") from error

    @classmethod
    def load(cls, path: str | Path) -> Contract:
        path = Path(path)
        if not path.is_file():
            raise ContractError(f"no contract at {path}; the default one is {config_path('contract.yaml')}")
        return cls.from_yaml(path.read_text(), source=str(path))


def config_path(name: str) -> Path:
    """A file of the configuration: of the source tree, else of the installed package's share directory."""
    for parent in Path(__file__).resolve().parents:
        for candidate in (parent / "config" / name, parent / "share" / "rise_robot" / "config" / name):
            if candidate.is_file():
                return candidate
    raise ContractError(f"no config/{name} beside the source tree or in share/rise_robot; reinstall the package")


def contract_path(text: str) -> Path:
    """A contract as people name it: a path, or the name of a file of the configuration."""
    return Path(text).resolve() if Path(text).is_file() else config_path(Path(text).name)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

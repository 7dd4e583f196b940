"""Where pictures come from: a camera of this machine, a video file or a folder of images, behind one interface."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from rise_robot.core.contract import CameraSpec
from rise_robot.core.errors import CameraError

IMAGES = (".jpg", ".jpeg", ".png")
PLAUSIBLE_AGE_NS = 10**9


@dataclass(frozen=True)
class Frame:
    """stamp_ns: when it was taken, wall clock; image: (H, W, 3) uint8 RGB."""

    stamp_ns: int
    image: np.ndarray


class FrameSource(Protocol):
    """Attributes:
    live: it delivers at its own pace; others are read at the camera's rate of the contract.
    """

    live: bool

    def read(self) -> Frame:
        """The next frame; waits for it where live.

        Raises:
            CameraError: there is none: the device is gone or the file cannot be read.
        """

    def close(self) -> None:
        """Give the device back."""


def acquisition_ns(buffer_ms: float, monotonic_ns: int, wall_ns: int) -> int:
    """Wall time at which a V4L2 buffer was filled.

    Drivers stamp buffers with the monotonic clock and OpenCV passes that on; where it says nothing of the last second,
    the time of arrival has to do.
    """
    age = monotonic_ns - round(buffer_ms * 1e6)
    return wall_ns - age if 0 <= age <= PLAUSIBLE_AGE_NS else wall_ns


def device_number(device: str) -> int | None:
    """N of /dev/videoN, of a link to it, or of "N"; None where it is none. OpenCV opens by number everywhere."""
    match = re.fullmatch(r"(?:/dev/video)?(\d+)", os.path.realpath(device) if "/" in device else device)
    return int(match[1]) if match else None


class DeviceSource:
    """A V4L2 camera by its path (/dev/v4l/by-id/... stays the same over restarts) or number.

    It is asked for the smallest size of its own that is at least the contract's, in MJPEG, with a queue of one.
    """

    live = True

    def __init__(self, device: str, camera: CameraSpec) -> None:
        self._device = device
        number = device_number(device)
        self._capture = cv2.VideoCapture() if number is None else cv2.VideoCapture(number, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise CameraError(f"camera {camera.name}: {device} cannot be opened; `ls /dev/v4l/by-id` lists them")
        for setting, value in (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, max(camera.width, 640)),
            (cv2.CAP_PROP_FRAME_HEIGHT, max(camera.height, 480)),
            (cv2.CAP_PROP_FPS, camera.rate_hz),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            self._capture.set(setting, value)

    def read(self) -> Frame:
        if not self._capture.grab():
            raise CameraError(f"{self._device} delivers no picture")
        stamp = acquisition_ns(self._capture.get(cv2.CAP_PROP_POS_MSEC), time.monotonic_ns(), time.time_ns())
        done, image = self._capture.retrieve()
        if not done:
            raise CameraError(f"{self._device} delivered a picture that cannot be decoded")
        return Frame(stamp, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        self._capture.release()


class VideoSource:
    """A video file, over and over."""

    live = False

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise CameraError(f"{path} is no video that OpenCV can read")

    def read(self) -> Frame:
        done, image = self._capture.read()
        if not done:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            done, image = self._capture.read()
        if not done:
            raise CameraError(f"{self._path} holds no picture")
        return Frame(time.time_ns(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        self._capture.release()


class FolderSource:
    """The images of a folder by name, over and over."""

    live = False

    def __init__(self, folder: str | Path) -> None:
        self._files = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in IMAGES)
        if not self._files:
            raise CameraError(f"{folder} holds no image ({', '.join(IMAGES)})")
        self._next = 0

    def read(self) -> Frame:
        path = self._files[self._next]
        self._next = (self._next + 1) % len(self._files)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise CameraError(f"{path} cannot be decoded as an image")
        return Frame(time.time_ns(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        """Nothing is held between two pictures."""


def open_source(text: str, camera: CameraSpec) -> FrameSource:
    """A folder, a device (/dev/..., or a number) or a video file. Raises CameraError where it is none of them."""
    if Path(text).is_dir():
        return FolderSource(text)
    if text.isdigit() or text.startswith("/dev/"):
        return DeviceSource(text, camera)
    if Path(text).is_file():
        return VideoSource(text)
    raise CameraError(f"camera {camera.name}: {text!r} is no device, video file or folder")

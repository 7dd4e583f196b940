"""sensor_msgs/Image to RGB: by cv_bridge where it is installed, else by the same rules here."""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import Image

from rise_robot.core.errors import CameraError

try:
    from cv_bridge import CvBridge
except (ImportError, AttributeError):  # not installed, or built for another numpy
    CvBridge = None

ENCODINGS = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
}
"""Channels, and how OpenCV turns them into RGB."""


def rgb_of(message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Raises CameraError for an unknown encoding, or data of another size than was promised."""
    _check(message)
    padded = message.step != ENCODINGS[message.encoding][0] * message.width  # cv_bridge takes padding for pixels
    return rgb_of_without_cv_bridge(message) if padded or not CvBridge else rgb_of_with_cv_bridge(message)


def rgb_of_without_cv_bridge(message: Image) -> np.ndarray:
    """Rows may be padded (`step`)."""
    channels, conversion = ENCODINGS[message.encoding]
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    image = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    return np.ascontiguousarray(image) if conversion is None else cv2.cvtColor(image, conversion)


def rgb_of_with_cv_bridge(message: Image) -> np.ndarray:
    """Only where cv_bridge is installed."""
    image: np.ndarray = CvBridge().imgmsg_to_cv2(message, "rgb8")
    return image


def _check(message: Image) -> None:
    if message.encoding not in ENCODINGS:
        raise CameraError(f"image encoding {message.encoding!r}; known are {', '.join(ENCODINGS)}")
    channels, _ = ENCODINGS[message.encoding]
    if message.step < channels * message.width or len(message.data) != message.step * message.height:
        raise CameraError(
            f"an image of {message.width}x{message.height} {message.encoding} with step {message.step} has "
            f"{len(message.data)} bytes"
        )

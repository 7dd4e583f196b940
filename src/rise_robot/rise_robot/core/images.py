"""JPEG in and out, and smaller: the one place where frames are encoded and decoded, live and from bags alike.

Both sides see decoded JPEG, never raw camera memory: a policy is deployed on what it was trained on.
"""

from __future__ import annotations

import cv2
import numpy as np

from rise_robot.core.errors import BagError


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG file of an RGB image.

    Args:
        image: (H, W, 3) uint8 RGB.
        quality: 1..100 (`Contract.jpeg_quality`).
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise BagError(f"expected an (H, W, 3) uint8 RGB image, got shape {image.shape} of {image.dtype}")
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise BagError(f"OpenCV could not encode an image of shape {image.shape} as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes | memoryview, shape: tuple[int, int] | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG file.

    Args:
        data: the whole file.
        shape: expected (H, W); None accepts any.

    Raises:
        BagError: it cannot be decoded, or has another size.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise BagError(f"{len(data)} bytes cannot be decoded as an image")
    if shape is not None and image.shape[:2] != tuple(shape):
        raise BagError(f"image is {image.shape[0]}x{image.shape[1]}, the contract says {shape[0]}x{shape[1]}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def resize_frame(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, ...) -> (h, w, ...) by area averaging; for bags, live frames and control maps alike."""
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)

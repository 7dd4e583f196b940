"""From a camera's own pictures to those of the contract, and what that does to its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from rise_robot.core.errors import CameraError


@dataclass(frozen=True)
class Fitting:
    """Cuts the middle of the wanted proportions out and scales it.

    Attributes:
        left, top, width, height: what is cut out, pixels of the camera.
        scale: pixels of the contract per pixel of the camera.
        shape: (H, W) of the contract.
    """

    left: int
    top: int
    width: int
    height: int
    shape: tuple[int, int]

    @classmethod
    def between(cls, have: tuple[int, int], want: tuple[int, int]) -> Fitting:
        """have, want: (H, W)."""
        (h, w), (height, width) = have, want
        cut_w, cut_h = min(w, round(h * width / height)), min(h, round(w * height / width))
        return cls((w - cut_w) // 2, (h - cut_h) // 2, cut_w, cut_h, want)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 of the contract from one of the camera."""
        cut = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if cut.shape[:2] == self.shape:
            return np.ascontiguousarray(cut)
        smaller = self.shape[0] < self.height
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        scaled: np.ndarray = cv2.resize(cut, self.shape[::-1], interpolation=way)
        return scaled

    def intrinsics(self, k: np.ndarray) -> np.ndarray:
        """(3, 3) of the fitted pictures from the camera's own; pixel centres lie at whole numbers."""
        sx, sy = self.shape[1] / self.width, self.shape[0] / self.height
        change = np.array([[sx, 0, (0.5 - self.left) * sx - 0.5], [0, sy, (0.5 - self.top) * sy - 0.5], [0, 0, 1.0]])
        fitted: np.ndarray = change @ k
        return fitted


@dataclass(frozen=True)
class Calibration:
    """As the package camera_calibration writes it.

    Attributes:
        shape: (H, W) of the pictures that were calibrated.
        k: (3, 3) intrinsics, pixels; distortion: its coefficients under `model`.
    """

    shape: tuple[int, int]
    k: np.ndarray
    distortion: tuple[float, ...]
    model: str

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Raises CameraError naming the file."""
        try:
            raw = yaml.safe_load(Path(path).read_text())
            k = np.array(raw["camera_matrix"]["data"], dtype=float).reshape(3, 3)
            distortion = tuple(float(d) for d in raw["distortion_coefficients"]["data"])
            shape = int(raw["image_height"]), int(raw["image_width"])
            return cls(shape, k, distortion, str(raw["distortion_model"]))
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise CameraError(f"{path} is no camera calibration: {type(error).__name__} {error}") from error

    def fitted(self, fitting: Fitting, have: tuple[int, int]) -> np.ndarray:
        """(3, 3) intrinsics of fitted pictures. Raises CameraError when the camera delivers another size."""
        if have != self.shape:
            raise CameraError(f"calibrated at {self.shape[1]}x{self.shape[0]}, but it delivers {have[1]}x{have[0]}")
        return fitting.intrinsics(self.k)

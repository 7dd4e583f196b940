"""One camera: reads its source in a thread of its own, fits the pictures, and opens it again when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from rise_robot.cameras.counters import StreamCounters
from rise_robot.cameras.fitting import Calibration, Fitting
from rise_robot.cameras.sources import Frame, FrameSource
from rise_robot.core.contract import CameraSpec
from rise_robot.core.errors import CameraError
from rise_robot.core.pacing import Pacer

REOPEN_S = 1.0

Deliver = Callable[[CameraSpec, Frame, np.ndarray | None], None]
"""Takes a fitted frame and its intrinsics (3, 3), None where the camera is not calibrated."""


class CameraStream:
    """Args:
    open_source: opens the source, again after each loss.
    calibration: of the source's own pictures; None: not calibrated.
    deliver: called in this stream's thread.

    Attributes:
        fault: why there are no pictures; "" while they come.
    """

    def __init__(
        self,
        camera: CameraSpec,
        open_source: Callable[[], FrameSource],
        calibration: Calibration | None,
        deliver: Deliver,
    ) -> None:
        self.camera, self.counters, self.fault = camera, StreamCounters(camera.rate_hz), ""
        self._open, self._calibration, self._deliver = open_source, calibration, deliver
        self._source: FrameSource | None = open_source()
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread and give the source back, unless the thread still waits for a dead device."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        if self._source is not None and not self._thread.is_alive():
            self._source.close()

    def _run(self) -> None:
        pacer = Pacer(1.0 / self.camera.rate_hz, time.monotonic_ns, self._stop.wait)
        while not self._stop.is_set():
            try:
                if self._source is None:
                    self._source = self._open()
                if not self._source.live and not pacer.sleep():
                    return
                self._take(self._source.read())
                self.fault = ""
            except CameraError as error:
                self._lose(str(error))

    def _take(self, frame: Frame) -> None:
        if not self.counters.admit(frame.stamp_ns):
            return
        have = frame.image.shape[:2]
        fitting = Fitting.between(have, (self.camera.height, self.camera.width))
        k = self._calibration.fitted(fitting, have) if self._calibration else None
        self._deliver(self.camera, Frame(frame.stamp_ns, fitting.apply(frame.image)), k)
        self.counters.published(time.time_ns() - frame.stamp_ns)

    def _lose(self, fault: str) -> None:
        self.fault = fault
        if self._source is not None:
            self._source.close()
        self._source = None
        self._stop.wait(REOPEN_S)

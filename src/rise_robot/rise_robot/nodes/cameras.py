"""The real cameras: V4L2 devices, video files, image folders or another driver's topic, as the contract wants them.

A lifecycle node. configure: opens the sources. activate: publishes. deactivate, cleanup: gives them back.
Publishes: camera/*/{image_raw, image_raw/compressed, camera_info}, /diagnostics (1 Hz: rates, drops, latencies).
A camera that is lost is looked for again every second; camera_info stops with its pictures, so watchdogs notice.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from rise_robot.cameras.fitting import Calibration
from rise_robot.cameras.sources import Frame, FrameSource, open_source
from rise_robot.cameras.stream import CameraStream
from rise_robot.core.contract import CameraSpec
from rise_robot.core.errors import CameraError
from rise_robot.core.images import encode_jpeg
from rise_robot.nodes import conversions, qos, runtime
from rise_robot.nodes.lifecycle import ManagedNode
from rise_robot.nodes.runtime import declare
from rise_robot.nodes.topic_source import TopicSource


class CamerasNode:
    """Declares, wires, delegates: the pictures are `CameraStream`'s."""

    def __init__(self) -> None:
        self.node = node = ManagedNode("cameras", self._transition)
        self.contract = runtime.declare_contract(node)
        self._autostart = declare(node, "autostart", True, "Configure and activate at the start.")
        self._sources, self._calibrations = {}, {}
        for name in self.contract.camera_names:
            self._sources[name] = declare(
                node, f"sources.{name}", "", "Device, video file, folder of images, or topic:NAME; empty: not here."
            )
            self._calibrations[name] = declare(
                node, f"calibrations.{name}", "", "Calibration file of camera_calibration; empty: not calibrated."
            )
        self._publishers = {
            camera.name: (
                node.create_publisher(Image, camera.topic, qos.SENSOR),
                node.create_publisher(CompressedImage, camera.compressed_topic, qos.SENSOR),
                node.create_publisher(CameraInfo, camera.info_topic, qos.SENSOR),
            )
            for camera in self.contract.cameras
        }
        self._streams: list[CameraStream] = []
        self._said: dict[str, str] = {}
        self._failure: CameraError | None = None
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._diagnose)

    def run(self, stop: threading.Event) -> None:
        if self._autostart:
            self.node.bring_up()
        if self._failure is not None:
            raise self._failure
        runtime.wait(stop)

    def close(self) -> None:
        self._stop_streams()

    def _transition(self, name: str) -> TransitionCallbackReturn:
        try:
            if name == "configure":
                self._configure()
            elif name == "activate":
                if not self._streams:  # deactivated before: a thread cannot be started twice
                    self._configure()
                for stream in self._streams:
                    stream.start()
            else:
                self._stop_streams()
        except CameraError as error:
            self._stop_streams()
            self._failure = error
            self.node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        self._failure = None
        for camera in self.contract.cameras:
            if source := self._sources[camera.name]:
                path = self._calibrations[camera.name]
                calibration = Calibration.load(path) if path else None
                self._streams.append(CameraStream(camera, partial(self._open, source, camera), calibration, self._show))
        if not self._streams:
            raise CameraError(f"no camera has a source; set sources.{self.contract.camera_names[0]} and the like")

    def _open(self, source: str, camera: CameraSpec) -> FrameSource:
        if source.startswith("topic:"):
            return TopicSource(self.node, source.removeprefix("topic:"))
        return open_source(str(Path(source).expanduser()), camera)

    def _stop_streams(self) -> None:
        while self._streams:
            self._streams.pop().close()

    def _show(self, camera: CameraSpec, frame: Frame, intrinsics: np.ndarray | None) -> None:
        """Publish a frame; pictures only while somebody looks. Intrinsics of zeros say "not calibrated"."""
        raw, jpeg, info = self._publishers[camera.name]
        matrix = np.zeros((3, 3)) if intrinsics is None else intrinsics
        info.publish(conversions.camera_info(camera, frame.stamp_ns, matrix))
        if jpeg.get_subscription_count():
            data = encode_jpeg(frame.image, self.contract.jpeg_quality)
            jpeg.publish(conversions.compressed(camera, frame.stamp_ns, data))
        if raw.get_subscription_count():
            raw.publish(conversions.image(camera, frame.stamp_ns, frame.image))

    def _diagnose(self) -> None:
        faults = {stream.camera.name: stream.fault for stream in self._streams}
        for name, fault in faults.items():
            if fault != self._said.get(name, ""):
                self.node.get_logger().error(fault) if fault else self.node.get_logger().info(f"camera {name} is back")
        self._said = faults
        lost = [f"{name}: {fault}" for name, fault in faults.items() if fault]
        level = DiagnosticStatus.ERROR if lost else DiagnosticStatus.OK if faults else DiagnosticStatus.WARN
        message = "; ".join(lost) or ("delivering" if faults else "not configured")
        values = {
            f"{stream.camera.name}/{key}": value
            for stream in self._streams
            for key, value in stream.counters.values().items()
        }
        self._diagnostics.publish(runtime.diagnostics(self.node, level, message, values))


def main() -> int:
    return runtime.run(CamerasNode)


if __name__ == "__main__":
    sys.exit(main())

"""Files as cameras over DDS, another driver's topic as a camera, and pictures with and without cv_bridge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from test_camera_sources import COLOURS, save_folder
from threaded_node import ThreadedNode, init

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import CameraError
from rise_robot.core.images import decode_jpeg
from rise_robot.nodes import conversions, image_messages, qos
from rise_robot.nodes.cameras import CamerasNode
from rise_robot.nodes.image_messages import ENCODINGS, rgb_of, rgb_of_without_cv_bridge

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
TOP, LEFT, _ = CONTRACT.cameras


class Watcher:
    """The node with its own thread, and everything that it publishes."""

    def __init__(self, **sources: str) -> None:
        words = [word for name, value in sources.items() for word in ("-p", f"sources.{name}:={value}")]
        init("-p", "contract:=contract_tiny.yaml", *words)
        self.cameras = CamerasNode()
        self.node = rclpy.create_node("watcher", use_global_arguments=False)
        self.heard: dict[str, list[Any]] = {"/diagnostics": []}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.heard["/diagnostics"].append, qos.EVENT)
        for camera in (TOP, LEFT):
            kinds = ((camera.topic, Image), (camera.compressed_topic, CompressedImage), (camera.info_topic, CameraInfo))
            for topic, kind in kinds:
                self.heard[topic] = []
                self.node.create_subscription(kind, topic, self.heard[topic].append, qos.SENSOR)
        self._running = ThreadedNode(self.cameras, self.node)

    def until(self, condition: Callable[[], Any], timeout_s: float = 30.0) -> None:
        self._running.until(
            condition, lambda: {topic: len(messages) for topic, messages in self.heard.items()}, timeout_s
        )

    def diagnosis(self) -> dict[str, str]:
        status = self.heard["/diagnostics"][-1].status[0]
        return {value.key: value.value for value in status.values} | {"message": status.message}

    def close(self) -> None:
        self._running.close()


@contextmanager
def watching(**sources: str) -> Iterator[Watcher]:
    watcher = Watcher(**sources)
    try:
        yield watcher
    finally:
        watcher.close()


def test_a_folder_is_a_camera_of_the_contract(tmp_path: Path) -> None:
    with watching(top=str(save_folder(tmp_path / "images"))) as watcher:
        heard = watcher.heard
        watcher.until(lambda: min(len(heard[t]) for t in (TOP.topic, TOP.compressed_topic, TOP.info_topic)) >= 5)
        watcher.until(lambda: heard["/diagnostics"] and "top/rate_hz" in watcher.diagnosis())
        raw, info = heard[TOP.topic][-1], heard[TOP.info_topic][-1]
        assert (raw.height, raw.width, raw.encoding, raw.header.frame_id) == (96, 128, "rgb8", "top_optical_frame")
        assert (info.height, info.width, list(info.k)) == (96, 128, [0.0] * 9), "not calibrated"
        jpegs = {conversions.stamp_of(m): decode_jpeg(bytes(m.data), (96, 128)) for m in heard[TOP.compressed_topic]}
        raws = {conversions.stamp_of(m): rgb_of(m) for m in heard[TOP.topic]}
        both = jpegs.keys() & raws.keys()
        assert len(both) >= 3, "one instant, one stamp"
        for stamp in both:
            np.testing.assert_allclose(jpegs[stamp], raws[stamp], atol=8)
            assert any(np.allclose(raws[stamp][48, 64], colour, atol=3) for colour in COLOURS)
        assert not heard[LEFT.topic] and watcher.diagnosis()["message"] == "delivering"


def test_another_drivers_topic_is_a_camera_with_its_own_stamps() -> None:
    with watching(wrist_left="topic:/realsense/color/image_raw") as watcher:
        driver = watcher.node.create_publisher(Image, "/realsense/color/image_raw", qos.SENSOR)
        picture = np.zeros((240, 424, 3), np.uint8)
        picture[:, 200:224] = (0, 0, 255)  # blue in the middle, in bgr8 the last channel is red
        sent = list[int]()

        def send() -> None:
            sent.append(watcher.node.get_clock().now().nanoseconds)
            message = conversions.image(LEFT, sent[-1], picture)
            message.encoding = "bgr8"
            driver.publish(message)

        watcher.node.create_timer(0.05, send)
        watcher.until(lambda: len(watcher.heard[LEFT.topic]) >= 3)
        message = watcher.heard[LEFT.topic][-1]
        assert (message.height, message.width, message.header.frame_id) == (96, 128, LEFT.frame_id)
        assert conversions.stamp_of(message) in sent
        assert rgb_of(message)[48, 64].tolist() == [255, 0, 0]


def test_a_node_without_a_source_says_so_and_ends() -> None:
    init("-p", "contract:=contract_tiny.yaml")
    try:
        with pytest.raises(CameraError, match="no camera has a source; set sources.top"):
            CamerasNode().run(threading.Event())
    finally:
        rclpy.shutdown()


def test_cameras_that_were_deactivated_deliver_when_they_are_activated_again(tmp_path: Path) -> None:
    with watching(top=str(save_folder(tmp_path / "top"))) as watcher:
        watcher.until(lambda: watcher.heard[TOP.info_topic])
        for transition in ("deactivate", "activate"):
            assert watcher.cameras._transition(transition) is TransitionCallbackReturn.SUCCESS
        before = len(watcher.heard[TOP.info_topic])
        watcher.until(lambda: len(watcher.heard[TOP.info_topic]) > before + 3)


def encoded(encoding: str, padding: int) -> tuple[Image, np.ndarray]:
    """A message with padded rows, and the RGB picture in it."""
    channels, _ = ENCODINGS[encoding]
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    rows = np.zeros((5, 7 * channels + padding), np.uint8)
    rows[:, : 7 * channels] = data.reshape(5, -1)
    rgb = data[..., [0, 0, 0]] if channels == 1 else data[..., [2, 1, 0] if encoding.startswith("b") else [0, 1, 2]]
    message = Image(height=5, width=7, encoding=encoding, step=7 * channels + padding, data=rows.tobytes())
    return message, rgb


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 3])
def test_every_encoding_becomes_rgb(encoding: str, padding: int) -> None:
    message, rgb = encoded(encoding, padding)
    np.testing.assert_array_equal(rgb_of_without_cv_bridge(message), rgb)
    np.testing.assert_array_equal(rgb_of(message), rgb)


@pytest.mark.skipif(image_messages.CvBridge is None, reason="cv_bridge is not installed (it comes with apt)")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_cv_bridge_and_the_conversion_without_it_agree(encoding: str) -> None:
    message, _ = encoded(encoding, 0)
    np.testing.assert_array_equal(image_messages.rgb_of_with_cv_bridge(message), rgb_of_without_cv_bridge(message))
    outbound = conversions.image(TOP, 5, rgb_of_without_cv_bridge(message))
    theirs = image_messages.CvBridge().cv2_to_imgmsg(rgb_of_without_cv_bridge(message), "rgb8")
    for field in ("height", "width", "step", "encoding", "data"):
        assert getattr(outbound, field) == getattr(theirs, field), field


def test_pictures_that_contradict_themselves_are_refused() -> None:
    message, _ = encoded("rgb8", 0)
    message.height = 6
    with pytest.raises(CameraError, match="7x6 rgb8 with step 21 has 105 bytes"):
        rgb_of(message)
    message.encoding = "bayer_rggb8"
    with pytest.raises(CameraError, match="image encoding 'bayer_rggb8'; known are rgb8"):
        rgb_of(message)

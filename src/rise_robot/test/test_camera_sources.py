"""Cameras without a camera: sources, fitting, calibration, counters, and a stream that is lost and found again."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.cameras.counters import StreamCounters
from rise_robot.cameras.fitting import Calibration, Fitting
from rise_robot.cameras.sources import FolderSource, Frame, VideoSource, acquisition_ns, device_number, open_source
from rise_robot.cameras.stream import CameraStream
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import CameraError

CAMERA = Contract.load(config_path("contract_tiny.yaml")).cameras[0]
COLOURS = [(250, 10, 20), (10, 240, 30), (20, 30, 230)]


def save_folder(folder: Path) -> Path:
    folder.mkdir()
    for i, colour in enumerate(COLOURS):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((48, 64, 3), colour[::-1], np.uint8))
    return folder


def save_video(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (64, 48))
    for colour in COLOURS:
        writer.write(np.full((48, 64, 3), colour[::-1], np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_files_are_shown_in_order_in_rgb_over_and_over(tmp_path: Path, kind: str) -> None:
    path = save_folder(tmp_path / "images") if kind == "folder" else save_video(tmp_path / "video.avi")
    source = open_source(str(path), CAMERA)
    assert isinstance(source, FolderSource if kind == "folder" else VideoSource) and not source.live
    for colour in COLOURS + COLOURS:
        frame = source.read()
        assert frame.image.shape == (48, 64, 3) and frame.image.dtype == np.uint8
        np.testing.assert_allclose(frame.image[24, 32], colour, atol=6)
    source.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/dev/video987", "cannot be opened; `ls /dev/v4l/by-id`"),
        ("nothing-here", "is no device, video file or folder"),
    ],
)
def test_sources_that_are_not_there_are_errors(text: str, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        open_source(text, CAMERA)


def test_a_device_is_known_by_its_number_or_a_link(tmp_path: Path) -> None:
    (tmp_path / "usb-Webcam-video-index0").symlink_to("/dev/video3")
    (tmp_path / "usb-Disk").symlink_to("/dev/sda")
    devices = ("2", "/dev/video12", str(tmp_path / "usb-Webcam-video-index0"), str(tmp_path / "usb-Disk"))
    assert [device_number(device) for device in devices] == [2, 12, 3, None]


def test_files_that_are_no_pictures_are_errors(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(CameraError, match="no video that OpenCV can read"):
        VideoSource(tmp_path / "text.mp4")
    with pytest.raises(CameraError, match="holds no image"):
        FolderSource(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(CameraError, match=r"a\.png cannot be decoded"):
        FolderSource(tmp_path).read()


def test_buffers_of_a_driver_keep_its_stamps() -> None:
    wall, monotonic = 1_700_000_000_000_000_000, 5_000_000_000
    assert acquisition_ns(4980.0, monotonic, wall) == wall - 20_000_000
    for nonsense in (0.0, 9000.0, 1_700_000_000_000.0):
        assert acquisition_ns(nonsense, monotonic, wall) == wall


@given(st.integers(40, 400), st.integers(40, 400), st.integers(16, 64), st.integers(16, 64))
def test_fitted_pictures_have_the_size_of_the_contract_and_keep_proportions(h: int, w: int, hh: int, ww: int) -> None:
    fitting = Fitting.between((h, w), (hh, ww))
    assert fitting.apply(np.zeros((h, w, 3), np.uint8)).shape == (hh, ww, 3)
    assert fitting.height == h or fitting.width == w, "as much as possible is kept"
    assert abs(fitting.width / fitting.height - ww / hh) < 1.5 / min(fitting.height, fitting.width) * (1 + ww / hh)


def test_intrinsics_follow_the_picture() -> None:
    """A point of the camera's picture is found where the fitted intrinsics project it."""
    h, w = 480, 640
    k = np.array([[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]])
    ray = np.array([0.11, -0.07, 1.0])
    u, v, _ = k @ ray
    picture = np.zeros((h, w, 3), np.uint8)
    cv2.circle(picture, (round(u), round(v)), 6, (255, 255, 255), -1)
    fitting = Fitting.between((h, w), (96, 96))
    rows, columns = np.nonzero(fitting.apply(picture)[..., 0] > 100)
    np.testing.assert_allclose((fitting.intrinsics(k) @ ray)[:2], [columns.mean(), rows.mean()], atol=0.2)


def test_calibration_is_read_and_bound_to_its_size(tmp_path: Path) -> None:
    raw = {
        "image_width": 640, "image_height": 480, "distortion_model": "plumb_bob",
        "camera_matrix": {"rows": 3, "cols": 3, "data": [500, 0, 320, 0, 500, 240, 0, 0, 1]},
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, 0, 0, 0, 0]},
    }  # fmt: skip
    path = tmp_path / "top.yaml"
    path.write_text(yaml.safe_dump(raw))
    calibration = Calibration.load(path)
    assert calibration.distortion[0] == 0.1
    fitting = Fitting.between((240, 320), (96, 128))
    with pytest.raises(CameraError, match="calibrated at 640x480, but it delivers 320x240"):
        calibration.fitted(fitting, (240, 320))
    path.write_text("camera_matrix: 3")
    with pytest.raises(CameraError, match="top.yaml is no camera calibration"):
        Calibration.load(path)


def test_counters_see_gaps_and_repetitions() -> None:
    counters = StreamCounters(10.0)
    stamps = [0, 100, 200, 500, 500, 400, 600]
    assert [counters.admit(ms * 1_000_000) for ms in stamps] == [True, True, True, True, False, False, True]
    assert (counters.frames, counters.dropped, counters.refused) == (5, 2, 2)
    counters.published(5_000_000)
    assert counters.values()["latency_p50_ms"] == 5.0 and counters.values()["rate_hz"] == pytest.approx(4 / 0.6)


class Flaky:
    """Delivers two frames, then is unplugged."""

    live = True

    def __init__(self, start: int) -> None:
        self._stamps = iter((start, start + 1))

    def read(self) -> Frame:
        for stamp in self._stamps:
            return Frame(stamp, np.zeros((48, 64, 3), np.uint8))
        raise CameraError("unplugged")

    def close(self) -> None:
        """Nothing to give back."""


def test_a_camera_that_is_lost_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rise_robot.cameras.stream.REOPEN_S", 0.01)
    seen, enough, opened = [], threading.Event(), []

    def open_flaky() -> Flaky:
        opened.append(len(opened))
        if len(opened) == 2:
            raise CameraError("still unplugged")
        return Flaky(10 * len(opened))

    def deliver(_: object, frame: Frame, k: np.ndarray | None) -> None:
        seen.append((frame.stamp_ns, frame.image.shape, k))
        if len(seen) == 4:
            enough.set()

    stream = CameraStream(CAMERA, open_flaky, None, deliver)
    stream.start()
    assert enough.wait(30)
    stream.close()
    assert [stamp for stamp, _, _ in seen[:4]] == [10, 11, 30, 31]
    assert seen[0][1:] == ((96, 128, 3), None)

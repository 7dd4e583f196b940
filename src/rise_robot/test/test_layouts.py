"""The RViz and Foxglove layouts name topics and message fields that this project has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rise_robot.core.contract import Contract, config_path

MESSAGES = Path(__file__).resolve().parents[2] / "rise_msgs" / "msg"
CONTRACT = Contract.load(config_path("contract.yaml"))
FIELDS = {
    "/joint_states": {"position"},
    "/joint_command": {"position"},
    "/policy/status": {"value", "latency_s"},
    "/control/status": {"chunk_age"},
    "/episode/status": set(),
    "/diagnostics": set(),
    "/imagination/image": set(),
    **{f"/{topic}": set() for c in CONTRACT.cameras for topic in (c.topic, c.compressed_topic, c.info_topic)},
}


def strings(tree: Any, *keys: str) -> Iterator[str]:
    """Every text below one of `keys`."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in keys and isinstance(value, str):
                yield value
            yield from strings(value, *keys)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value, *keys)


def test_foxglove_layout() -> None:
    layout = json.loads(config_path("foxglove.json").read_text())
    keys = ("imageTopic", "calibrationTopic", "topicPath", "topicToRender", "value")
    paths = list(strings(layout["configById"], *keys))
    assert len(paths) > 10
    for path in paths:
        topic, _, field = path.partition(".")
        assert topic in FIELDS, path
        assert not field or re.sub(r"\[\d+\]", "", field) in FIELDS[topic], path
    placed = set(strings({"layout": layout["layout"]}, "first", "second"))
    assert placed == set(layout["configById"]), "every panel is shown once"


def test_rviz_layout_shows_every_camera() -> None:
    displays = yaml.safe_load(config_path("rise.rviz").read_text())["Visualization Manager"]["Displays"]
    topics = [display["Topic"]["Value"] for display in displays if display["Class"].endswith("/Image")]
    assert topics == [camera.topic for camera in CONTRACT.cameras] + ["imagination/image"]
    words = [display["Topic"]["Value"] for display in displays if display["Class"].endswith("/Marker")]
    assert words == ["imagination/marker"]


@pytest.mark.parametrize("message", ["PolicyStatus", "ControlStatus"])
def test_plotted_fields_exist(message: str) -> None:
    definition = (MESSAGES / f"{message}.msg").read_text()
    fields = FIELDS[{"PolicyStatus": "/policy/status", "ControlStatus": "/control/status"}[message]]
    assert all(re.search(rf"^\w+ {field} ", definition, re.MULTILINE) for field in fields)

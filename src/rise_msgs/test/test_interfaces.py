"""The interface files are documented field by field, all of them are built, and the build is that of these files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
FILES = sorted(path for kind in ("msg", "srv", "action") for path in (PACKAGE / kind).iterdir())
FIELD = re.compile(r"^(?P<type>[A-Za-z_/]\S*)\s+(?P<name>\w+)(?P<constant>=\S+)?\s*(?P<comment>#.*)?$")


def _lines(path: Path) -> list[re.Match[str]]:
    text = [line for line in path.read_text().splitlines() if line and not line.startswith("#") and line != "---"]
    matches = [FIELD.match(line) for line in text]
    assert all(matches), (
        f"{path.name}: cannot read {[line for line, match in zip(text, matches, strict=True) if not match]}"
    )
    return [match for match in matches if match]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_says_meaning_and_unit(path: Path) -> None:
    for field in _lines(path):
        comment = field["comment"] or ""
        assert len(comment) > 12, f"{path.name}: {field['name']} has no comment"
        if field["type"] == "std_msgs/Header":
            assert "stamp:" in comment and "frame_id:" in comment, f"{path.name}: say what header means"
        elif not field["constant"]:
            assert "unit:" in comment, f"{path.name}: {field['name']} states no unit"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_interface_states_its_purpose_first(path: Path) -> None:
    assert re.match(r"# [A-Z]", path.read_text()), f"{path.name} must begin with what it is for"


def test_every_interface_file_is_built() -> None:
    built = set(re.findall(r'"((?:msg|srv|action)/\w+\.\w+)"', (PACKAGE / "CMakeLists.txt").read_text()))
    assert built == {f"{path.parent.name}/{path.name}" for path in FILES}


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".msg"], ids=lambda path: path.name)
def test_built_message_is_that_of_the_source(path: Path) -> None:
    messages = pytest.importorskip("rise_msgs.msg", reason="rise_msgs is not built here")
    built = getattr(messages, path.stem).get_fields_and_field_types()
    assert list(built) == [field["name"] for field in _lines(path) if not field["constant"]]

"""Scripts that continue where they were record a bag once, and again where it is not what they need."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = next(parent for parent in Path(__file__).parents if (parent / "scripts").is_dir()) / "scripts/record_once.sh"


def record(bag: Path, weights: Path | str, command: str = 'mkdir "$1" && echo whole >>"$1/bag"') -> bool:
    """Whether the script came to its end."""
    script = f'set -euo pipefail; . {SCRIPT}; record() {{ {command}; }}; record_once "$1" "$2" record "$1"'
    return subprocess.run(["bash", "-c", script, "bash", str(bag), str(weights)], check=False).returncode == 0


def test_what_is_whole_is_not_recorded_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert record(tmp_path / "bag", "none")
    assert (tmp_path / "bag" / "bag").read_text() == "whole\n"


@pytest.mark.parametrize(
    "interrupted", ['mkdir "$1" && touch "$1/metadata.yaml" && exit 130', 'mkdir "$1" && kill -9 $$']
)
def test_what_was_interrupted_is_recorded_again(tmp_path: Path, interrupted: str) -> None:
    assert not record(tmp_path / "bag", "none", interrupted)
    assert record(tmp_path / "bag", "none") and not (tmp_path / "bag" / "metadata.yaml").exists()


def test_what_other_weights_have_done_is_recorded_again(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    for trained in ("once", "anew"):
        weights.write_text(trained)
        assert record(tmp_path / "bag", weights, 'mkdir "$1" && cp "$(dirname "$1")/model.safetensors" "$1/by"')
        assert (tmp_path / "bag" / "by").read_text() == trained


def test_what_other_flags_have_made_is_recorded_again_and_what_was_moved_is_not(tmp_path: Path) -> None:
    def recorded(directory: Path, episodes: int) -> bool:
        bag = directory / "bags" / "rollouts"
        bag.parent.mkdir(parents=True, exist_ok=True)
        policy = directory / "run" / "policy"
        script = f"""set -euo pipefail; . {SCRIPT}
            make() {{ mkdir "$2" && echo made; }}
            record_once {bag} {policy}/weights make --out {bag} --episodes {episodes} --run {policy}"""
        return "made" in subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout

    weights = tmp_path / "here/run/policy/weights"
    weights.parent.mkdir(parents=True)
    weights.write_text("trained")
    assert recorded(tmp_path / "here", 3) and not recorded(tmp_path / "here", 3)
    assert recorded(tmp_path / "here", 4)
    (tmp_path / "here").rename(tmp_path / "there")
    assert not recorded(tmp_path / "there", 4)

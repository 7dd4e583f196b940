"""Checkpoints: what is saved is what is loaded; what does not fit is named; a crash leaves the old file."""

from pathlib import Path

import pytest
import torch

from rise_worldmodel import checkpoint
from rise_worldmodel.config import ValueConfig
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import CheckpointError
from rise_worldmodel.synthetic import moving_squares, small_dynamics
from rise_worldmodel.value import ValueModel


@pytest.fixture
def dynamics() -> MultiViewDynamics:
    model = MultiViewDynamics(small_dynamics()).eval()
    clips = moving_squares(8)
    model.fit_codec(clips[1])
    return model


def test_a_loaded_model_imagines_the_same_frames(dynamics: MultiViewDynamics, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "dynamics.safetensors"
    checkpoint.save_model(path, dynamics, metadata={"contract": "name: arm"})
    loaded = checkpoint.load_model(path)
    context, _, actions, state = moving_squares(2)
    noise = torch.randn(2, *dynamics.latent_shape)
    assert loaded.config == dynamics.config
    assert torch.equal(
        loaded.sample(context, actions, state, noise=noise), dynamics.sample(context, actions, state, noise=noise)
    )
    assert checkpoint.read_metadata(path)["contract"] == "name: arm"


def test_the_same_model_is_the_same_bytes(dynamics: MultiViewDynamics, tmp_path: Path) -> None:
    """What was trained on it knows it by its digest, and a finished training that is run again writes it again."""
    texts = {f"text_{number}": "x" * number for number in range(8)}
    for number in range(4):
        checkpoint.save_model(tmp_path / str(number), dynamics, metadata=texts)
    assert len({(tmp_path / str(number)).read_bytes() for number in range(4)}) == 1
    metadata = checkpoint.read_metadata(tmp_path / "0")
    assert {name: metadata[name] for name in texts} == texts


def test_half_precision_halves_the_file_and_loads_as_single(dynamics: MultiViewDynamics, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    checkpoint.save_model(whole, dynamics)
    checkpoint.save_model(half, dynamics, dtype=torch.float16)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded = checkpoint.load_model(half)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}


def test_a_value_model_keeps_its_tuples(tmp_path: Path) -> None:
    model = ValueModel(ValueConfig(2, 16, 16, (0, 1), (True, False), channels=(8, 8), auxiliary_dim=3))
    checkpoint.save_model(tmp_path / "value.safetensors", model)
    assert checkpoint.load_model(tmp_path / "value.safetensors").config == model.config


def test_every_key_that_does_not_fit_is_named() -> None:
    model = torch.nn.Linear(2, 3)
    with pytest.raises(
        CheckpointError, match=r"missing: \['bias'\](.|\n)*unexpected: \['wings'\](.|\n)*weight: \(3, 4\)"
    ):
        checkpoint.load_weights(model, {"weight": torch.zeros(3, 4), "wings": torch.zeros(1)}, source="x")


def test_a_truncated_file_is_a_checkpoint_error(dynamics: MultiViewDynamics, tmp_path: Path) -> None:
    path = tmp_path / "dynamics.safetensors"
    checkpoint.save_model(path, dynamics)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot read"):
        checkpoint.load_model(path)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    checkpoint.write_atomically(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]

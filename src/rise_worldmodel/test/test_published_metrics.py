"""LPIPS and FVD: strict loading of the published layouts, shapes, and the Frechet distance against its closed form.

The weights here are random and only of the real layout, so no number below is an LPIPS or an FVD.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rise_worldmodel.errors import CheckpointError, ShapeError
from rise_worldmodel.fvd import I3dFeatures, frechet_distance
from rise_worldmodel.lpips import CHANNELS, load_lpips

ALEXNET = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.6": (10, 8),
}


def _write_lpips(directory: Path, heads: dict[str, Tensor] | None = None) -> Path:
    alexnet = {f"{name}.weight": 0.05 * torch.randn(shape) for name, shape in ALEXNET.items()}
    alexnet |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in ALEXNET.items()}
    torch.save(alexnet, directory / "alexnet-owt-7be5be79.pth")
    published = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS)}
    torch.save(published if heads is None else heads, directory / "alex.pth")
    return directory


def test_lpips_needs_both_files_and_says_which(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is no directory; put torchvision's AlexNet"):
        load_lpips(tmp_path / "nowhere")
    _write_lpips(tmp_path)
    (tmp_path / "alex.pth").unlink()
    with pytest.raises(CheckpointError, match=r"expected one file, the linear heads of LPIPS 0.1"):
        load_lpips(tmp_path)


def test_every_key_of_lpips_that_is_not_as_published_is_named(tmp_path: Path) -> None:
    heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS)}
    wrong = {**heads, "lin1.model.1.weight": torch.rand(1, 7, 1, 1), "lin9.model.1.weight": torch.rand(1)}
    del wrong["lin0.model.1.weight"]
    with pytest.raises(CheckpointError) as error:
        load_lpips(_write_lpips(tmp_path, wrong))
    for name in ("heads.0", "heads.1: (1, 7, 1, 1)", "heads.9"):
        assert name in str(error.value)


def test_a_pickle_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    _write_lpips(tmp_path)
    torch.save({"lin0.model.1.weight": Path("run me")}, tmp_path / "alex.pth")
    with pytest.raises(CheckpointError, match="cannot read"):
        load_lpips(tmp_path)


def test_equal_images_have_distance_0_and_each_pair_its_own(tmp_path: Path) -> None:
    model = load_lpips(_write_lpips(tmp_path))
    images = torch.randint(0, 256, (3, 48, 64, 3), dtype=torch.uint8)
    other = images.clone()
    other[1, 10:30] = 255 - other[1, 10:30]
    found = model(images, other)
    assert found[0] == found[2] == 0.0 and found[1] > 0
    torch.testing.assert_close(model(other[1:2], images[1:2]), found[1:2])


class _Pretended(nn.Module):
    """The interface of the published TorchScript, with means of a clip repeated 400 times."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, x: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        if rescale or resize or not return_features:
            raise RuntimeError("prepared elsewhere")
        return x.mean((1, 2, 3, 4))[:, None].expand(-1, self.features)


def test_fvd_needs_the_published_network(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="i3d_torchscript.pt of StyleGAN-V"):
        I3dFeatures(tmp_path)
    torch.jit.script(_Pretended(7)).save(str(tmp_path / "i3d_torchscript.pt"))
    videos = torch.zeros(2, 10, 16, 16, 3, dtype=torch.uint8)
    with pytest.raises(CheckpointError, match=r"answers \(2, 7\), expected \(2, 400\)"):
        I3dFeatures(tmp_path)(videos)
    with pytest.raises(ShapeError, match="videos of 10 frames"):
        I3dFeatures(tmp_path)(videos[:, :9])


def test_videos_reach_i3d_between_minus_one_and_one(tmp_path: Path) -> None:
    torch.jit.script(_Pretended(400)).save(str(tmp_path / "i3d_torchscript.pt"))
    videos = torch.stack([torch.full((10, 8, 8, 3), value, dtype=torch.uint8) for value in (0, 255)])
    found = I3dFeatures(tmp_path)(videos)
    torch.testing.assert_close(found[:, 0], torch.tensor([-1.0, 1.0]))


def test_frechet_distance_of_independent_coordinates() -> None:
    """(m1 - m2)^2 + (s1 - s2)^2 summed over coordinates, of samples with exactly these moments."""
    grid = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    grid = grid / grid.std(0)
    first = grid * torch.tensor([2.0, 0.5]) + torch.tensor([1.0, 0.0])
    second = grid * torch.tensor([1.0, 3.0]) + torch.tensor([0.0, 4.0])
    assert frechet_distance(first, second) == pytest.approx(1 + 16 + 1 + 2.5**2)
    turn = torch.linalg.qr(torch.randn(2, 2, dtype=torch.float64)).Q
    assert frechet_distance(first @ turn, second @ turn) == pytest.approx(24.25)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-9)


def test_frechet_distance_of_fewer_samples_than_features_and_of_one() -> None:
    features = torch.randn(5, 40)
    assert frechet_distance(features, features + 1.0) == pytest.approx(40.0, rel=1e-3)
    with pytest.raises(ShapeError, match="two samples a side, got 1"):
        frechet_distance(features[:1], features)

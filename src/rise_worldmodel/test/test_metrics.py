"""Metrics against numbers computed by hand, and files that can be read back."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from rise_worldmodel.metrics import moving_mask, psnr, ssim
from rise_worldmodel.visualize import side_by_side, write_strip, write_video


def test_psnr_by_hand_and_on_what_moves() -> None:
    real = torch.zeros(1, 2, 1, 4, 4, 3, dtype=torch.uint8)
    real[0, 1, 0, 0, 0] = 200
    predicted = real.clone()
    predicted[0, 1, 0, 0, 0] = 149
    mask = moving_mask(real, torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8))
    assert mask.sum() == 1
    assert psnr(predicted, real, mask) == pytest.approx(-10 * np.log10((51 / 255) ** 2), abs=1e-4)
    assert psnr(predicted, real) == pytest.approx(-10 * np.log10((51 / 255) ** 2 / 32), abs=1e-4)


def test_ssim_of_equal_images_is_one_and_falls_with_noise() -> None:
    video = torch.randint(0, 256, (1, 2, 1, 32, 32, 3), dtype=torch.uint8)
    assert ssim(video, video) == pytest.approx(1.0, abs=1e-4)
    assert ssim(video, 255 - video) < 0.5


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_videos_of_imagined_against_real_can_be_read_back(tmp_path: Path, suffix: str) -> None:
    video = torch.randint(0, 256, (6, 3, 16, 16, 3), dtype=torch.uint8)
    frames = side_by_side([video, 255 - video])
    assert frames.shape == (6, 36, 54, 3)
    path = write_video(tmp_path / f"clip{suffix}", frames, fps=15)
    assert imageio.imread(path).shape[:3] == (6, 36, 54)


def test_a_strip_shows_every_nth_frame_of_every_view(tmp_path: Path) -> None:
    video = torch.zeros(8, 2, 16, 16, 3, dtype=torch.uint8)
    image = imageio.imread(write_strip(tmp_path / "strip.png", [video, video], every=4, scale=1))
    assert image.shape == (2 * (2 * 17 + 4), 2 * 18, 3)

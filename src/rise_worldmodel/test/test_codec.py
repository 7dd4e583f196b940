"""The codec keeps what stands still exactly and reconstructs what its components span."""

import pytest
import torch

from rise_worldmodel.codec import PatchPcaCodec
from rise_worldmodel.config import CodecConfig
from rise_worldmodel.errors import ShapeError
from rise_worldmodel.metrics import psnr

CONFIG = CodecConfig(frames_per_group=2, patch=8, channels=24, content_channels=16)


def _smooth(count: int) -> torch.Tensor:
    """(count, 4, 2, 16, 24, 3) uint8: planes of random slope that drift."""
    slope = torch.rand(count, 1, 2, 1, 1, 3) * 4
    y, x = torch.arange(16).view(16, 1, 1), torch.arange(24).view(1, 24, 1)
    drift = torch.arange(4).view(4, 1, 1, 1, 1) * torch.rand(count, 1, 2, 1, 1, 3) * 8
    return (60 + slope * x + (4 - slope) * y + drift).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_unseen_smooth_frames_are_reconstructed(whitening: float) -> None:
    codec = PatchPcaCodec(CodecConfig.from_dict({**CONFIG.to_dict(), "whitening": whitening}))
    codec.fit(_smooth(200))
    frames = _smooth(4)
    latents = codec.encode(frames)
    assert latents.shape == (4, 2, 2, 2, 3, 24)
    assert psnr(codec.decode(latents), frames) > 40.0


def test_a_reference_makes_still_frames_exact_whatever_they_show() -> None:
    codec = PatchPcaCodec(CONFIG)
    clips = _smooth(200)
    codec.fit(clips)
    noise = torch.randint(0, 256, (3, 2, 16, 24, 3), dtype=torch.uint8)
    still = noise[:, None].expand(-1, 4, -1, -1, -1, -1)
    torch.testing.assert_close(codec.encode_still(noise), codec.encode(still)[:, 0], atol=1e-4, rtol=1e-3)
    assert torch.equal(codec.decode(codec.encode(still), noise), still)


def test_a_reference_does_not_hide_change() -> None:
    codec = PatchPcaCodec(CONFIG)
    codec.fit(_smooth(200))
    frames = _smooth(3)
    assert psnr(codec.decode(codec.encode(frames), 255 - frames[:, 0]), frames) > 35.0


def test_drawings_lend_their_detail_where_latents_say_the_same() -> None:
    """Lines that no component carries come back from the drawing; an object that is not drawn stays what it is."""
    codec = PatchPcaCodec(CONFIG)
    codec.fit(_smooth(200))
    drawn = _smooth(3)
    drawn[..., ::3, :] = (drawn[..., ::3, :].int() - 30).clamp(0).to(torch.uint8)
    frames = drawn.clone()
    frames[:, :, :, :8, :8] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    plain, detailed = codec.decode(codec.encode(frames)), codec.decode(codec.encode(frames), None, drawn)
    assert psnr(detailed[:, :, :, 8:], frames[:, :, :, 8:]) > psnr(plain[:, :, :, 8:], frames[:, :, :, 8:]) + 10.0
    block = (..., slice(8), slice(8), slice(None))
    assert torch.equal(detailed[block], plain[block]), "nothing of what is drawn shines through an object"


def test_a_frame_as_drawn_is_the_drawing() -> None:
    codec = PatchPcaCodec(CONFIG)
    codec.fit(_smooth(200))
    drawn = torch.randint(0, 256, (2, 4, 2, 16, 24, 3), dtype=torch.uint8)
    assert torch.equal(codec.decode(codec.encode(drawn), None, drawn), drawn)


def test_weighted_latent_error_is_the_squared_error_of_intensities() -> None:
    codec = PatchPcaCodec(CONFIG)
    codec.fit(_smooth(200))
    first, second = codec.encode(_smooth(2)), codec.encode(_smooth(2))
    distance = ((first - second) ** 2 * codec.pixel_weight).sum()
    blocks = [(latents * codec.scale) @ codec.basis.T for latents in (first, second)]
    torch.testing.assert_close(distance, ((blocks[0] - blocks[1]) ** 2).sum(), rtol=1e-3, atol=1e-4)


def test_content_is_a_code_of_single_frames() -> None:
    codec = PatchPcaCodec(CONFIG)
    codec.fit(_smooth(200))
    frame = _smooth(2)[:, 0]
    content = codec.encode_content(frame)
    assert content.shape == (2, 2, 2, 3, 16)
    blocks = (content * codec.content_scale) @ codec.content_basis.T + codec.content_mean
    assert (blocks * 255 - codec._still_blocks(frame)).abs().mean() < 2.0


def test_frames_that_do_not_fill_groups_are_refused() -> None:
    with pytest.raises(ShapeError, match="multiple of 2"):
        PatchPcaCodec(CONFIG).encode(torch.zeros(1, 3, 1, 16, 24, 3, dtype=torch.uint8))

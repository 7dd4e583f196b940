"""What the present and the maps show is left out; what an error in chosen pixels costs."""

import pytest
import torch

from rise_worldmodel.codec import PatchPcaCodec
from rise_worldmodel.config import CodecConfig
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.explained import unexplained
from rise_worldmodel.latent_codec import to_grid
from rise_worldmodel.ltx_vae import LtxVaeCodec


def still(frames: int) -> torch.Tensor:
    return torch.full((1, frames, 1, 16, 16, 3), 100, dtype=torch.uint8)


def test_an_object_is_unexplained_where_it_goes_and_not_where_it_was():
    context, future, maps = still(4), still(10), still(3)
    context[:, :, :, 2, 2] = 200  # a brick that nobody drew ...
    future[:, :, :, 2, 8] = 200  # ... has moved; where it lay, the map shows the belt
    assert unexplained(context, future, maps).nonzero().tolist() == [[0, frame, 0, 2, 8] for frame in range(10)]
    assert unexplained(context, future).sum() == 20


def test_a_robot_is_explained_by_the_map_of_either_end_of_its_group():
    context, future, maps = still(4), still(10), still(3)
    maps[:, 1, :, 5, 5] = 0
    future[:, :, :, 5, 5] = 0
    assert not unexplained(context, future, maps).any()
    future[:, 7, :, 6, 6] = 0
    maps[:, 0, :, 6, 6] = 0  # of the other group
    assert unexplained(context, future, maps).nonzero().tolist() == [[0, 7, 0, 6, 6]]


def test_squared_error_in_all_pixels_is_that_of_the_latents():
    torch.manual_seed(0)
    codec = PatchPcaCodec(CodecConfig(frames_per_group=5, patch=8, channels=12, content_channels=4))
    clips = torch.randint(0, 256, (12, 10, 2, 16, 16, 3), dtype=torch.uint8)
    codec.fit(clips)
    difference = torch.randn(3, 2, 2, 4, 12)
    everywhere = torch.ones(3, 10, 2, 16, 16, dtype=torch.bool)
    expected = (difference.square() * codec.pixel_weight).sum(-1)
    torch.testing.assert_close(codec.squared_error(difference, everywhere), expected, rtol=1e-3, atol=1e-5)

    left = everywhere.clone()
    left[..., 8:] = False
    cost = to_grid(codec.squared_error(difference, left)[..., None], (2, 2))
    assert (cost[:, :, :, :, 1] == 0).all() and (cost[:, :, :, :, 0] > 0).all()


def test_a_codec_that_is_not_linear_refuses_by_name():
    codec = LtxVaeCodec.__new__(LtxVaeCodec)
    with pytest.raises(ConfigError, match="LtxVaeCodec is not linear"):
        codec.squared_error(torch.zeros(1), torch.zeros(1))

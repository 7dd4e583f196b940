"""Figures summed batch by batch: equal to those of everything at once, and flow that knows how far things moved."""

from __future__ import annotations

import math

import pytest
import torch

from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.dynamics_report import dynamics_report
from rise_worldmodel.metrics import moving_mask, psnr, ssim
from rise_worldmodel.optical_flow import endpoint_error, optical_flow
from rise_worldmodel.synthetic import moving_squares, small_dynamics


@pytest.fixture(scope="module")
def model() -> MultiViewDynamics:
    torch.manual_seed(0)
    model = MultiViewDynamics(small_dynamics()).eval()
    model.fit_codec(moving_squares(16)[1])
    return model


def test_portions_change_nothing(model: MultiViewDynamics) -> None:
    clips = moving_squares(5, seed=1)
    one, many = (dynamics_report(model, *clips, seed=3, micro_batch=size, flow=True) for size in (5, 2))
    assert one.keys() == many.keys()
    assert one == pytest.approx(many, rel=1e-3)


def test_bounds_are_those_of_their_videos(model: MultiViewDynamics) -> None:
    context, future, actions, state = moving_squares(4, seed=1)
    report = dynamics_report(model, context, future, actions, state, micro_batch=3, flow=True)
    copied = context[:, -1:].expand_as(future)
    mask = moving_mask(future, context[:, -1])
    assert report["psnr_copy_last"] == pytest.approx(psnr(copied, future), abs=1e-4)
    assert report["psnr_copy_last_moving"] == pytest.approx(psnr(copied, future, mask), abs=1e-4)
    assert report["ssim_copy_last"] == pytest.approx(ssim(copied, future), abs=1e-4)
    coded = model.decode_future(context, model.encode_future(future))
    assert report["codec_psnr"] == pytest.approx(psnr(coded, future), abs=1e-4)
    flow = optical_flow(torch.cat([context[:, -1:], future], dim=1)).norm(dim=-1)
    assert report["epe_copy_last"] == pytest.approx(float(flow.mean()), rel=1e-4), "a still video has no flow"


def test_nothing_that_moves_is_no_figure(model: MultiViewDynamics) -> None:
    context, future, actions, state = moving_squares(2)
    report = dynamics_report(model, context, context[:, -1:].expand_as(future), actions, state)
    assert math.isnan(report["psnr_moving"]) and report["psnr_copy_last"] == 100.0


def test_flow_measures_how_far_a_texture_moved() -> None:
    texture = torch.nn.functional.avg_pool2d(255.0 * torch.rand(1, 3, 68, 100), 5, stride=1)[0].permute(1, 2, 0)
    texture = (255 * (texture - texture.min()) / (texture.max() - texture.min())).to(torch.uint8)
    video = torch.stack([texture[:, shift : shift + 80] for shift in (6, 4, 2)])[None, :, None]
    still = video[:, :1].expand_as(video)
    flow = optical_flow(video)
    assert flow.shape == (1, 2, 1, 64, 80, 2)
    middle = flow[0, :, 0, 10:-10, 10:-10]
    assert middle[..., 0].mean() == pytest.approx(2.0, abs=0.2) and middle[..., 1].abs().mean() < 0.2
    assert endpoint_error(flow, flow).max() == 0.0
    error = endpoint_error(optical_flow(still), flow)[0, :, 0, 10:-10, 10:-10]
    assert error.mean() == pytest.approx(2.0, abs=0.2)

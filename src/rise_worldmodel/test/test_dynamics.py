"""The dynamics model: shapes of any robot, learning, following actions, seeds."""

import pytest
import torch

from rise_worldmodel.config import CodecConfig, DynamicsConfig, tiny_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.dynamics_report import dynamics_report
from rise_worldmodel.errors import ConfigError, ShapeError
from rise_worldmodel.flow_matching import seeded_noise
from rise_worldmodel.metrics import psnr
from rise_worldmodel.synthetic import moving_squares, small_dynamics

ROBOTS = {
    "two arms": tiny_dynamics(14),
    "one arm, two views, 45 actions": DynamicsConfig(
        2, 32, 32, 8, 45, 15, context_frames=2, use_state=False, codec=CodecConfig(3, 16, 20, 10), rope=True,
        cross_view_every=3, context_tokens=True, prediction="velocity",
    ),
}  # fmt: skip


def _train(model: MultiViewDynamics, clips: tuple[torch.Tensor, ...], steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
        optimizer.zero_grad()
        model.loss(*clips)["loss"].backward()
        optimizer.step()
    model.eval()


@pytest.fixture(scope="module")
def trained() -> MultiViewDynamics:
    torch.manual_seed(0)
    model = MultiViewDynamics(small_dynamics())
    clips = moving_squares(48)
    model.fit_codec(clips[1])
    _train(model, clips, 150)
    return model


@pytest.mark.parametrize("name", ROBOTS)
def test_shapes_follow_the_configuration(name: str) -> None:
    config = ROBOTS[name]
    model = MultiViewDynamics(config)
    context = torch.randint(
        0, 256, (2, config.context_frames, config.views, config.height, config.width, 3), dtype=torch.uint8
    )
    future = torch.randint(0, 256, (2, config.future_frames, *context.shape[2:]), dtype=torch.uint8)
    actions = torch.randn(2, config.chunk_size, config.action_dim)
    state = torch.randn(2, config.action_dim) if config.use_state else None
    model.loss(context, future, actions, state)["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    imagined = model.sample(context, actions, state, steps=2)
    assert imagined.shape == future.shape and imagined.dtype == torch.uint8


def test_imagination_of_unseen_squares_beats_copying_the_last_frame(trained: MultiViewDynamics) -> None:
    report = dynamics_report(trained, *moving_squares(16, seed=1))
    assert report["psnr"] > report["psnr_copy_last"] + 3.0
    assert report["psnr_moving"] > report["psnr_copy_last_moving"] + 3.0
    assert report["codec_psnr"] > report["psnr"] > report["psnr_shuffled_actions"] + 1.0


def test_swapped_actions_move_the_square_the_other_way(trained: MultiViewDynamics) -> None:
    context, _, actions, state = moving_squares(8, seed=2)
    columns = torch.arange(32.0)

    def centre(frames: torch.Tensor) -> torch.Tensor:
        shown = (frames[:, -1, 0, ..., 0].float() - 60).clamp_min(0).sum(1)
        return (shown * columns).sum(1) / shown.sum(1).clamp_min(1.0)

    right = centre(trained.sample(context, torch.ones_like(actions), state))
    left = centre(trained.sample(context, -torch.ones_like(actions), state))
    assert ((right - left) > 8.0).all()


def test_more_euler_steps_still_show_the_square(trained: MultiViewDynamics) -> None:
    context, future, actions, state = moving_squares(8, seed=3)
    copied = psnr(context[:, -1:].expand_as(future), future)
    assert psnr(trained.sample(context, actions, state, steps=4), future) > copied + 2.0


def test_a_seeded_sample_does_not_depend_on_its_batch(trained: MultiViewDynamics) -> None:
    context, _, actions, state = moving_squares(5, seed=4)
    noise = seeded_noise(trained.latent_shape, [10, 11, 12, 13, 14])
    together = trained.sample(context, actions, state, steps=2, noise=noise).int()
    alone = trained.sample(
        context[3:4], actions[3:4], state[3:4], steps=2, noise=seeded_noise(trained.latent_shape, [13])
    ).int()
    assert (together[3] - alone[0]).abs().max() <= 1


def test_a_still_future_has_little_loss_weight_when_motion_is_weighted() -> None:
    model = MultiViewDynamics(small_dynamics(motion_weight=1.0))
    energy = torch.tensor([0.0, 1.0, 3.0])
    weight = model._motion_weight(energy)
    torch.testing.assert_close(weight.mean(), torch.tensor(1.0))
    assert weight[0] < 0.1 * weight[1] < weight[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 20}, "height 20 must be a multiple"),
        ({"future_frames": 9}, "multiple of codec.frames_per_group"),
        ({"chunk_size": 15}, "chunk_size 15 must be a multiple of future_frames"),
        ({"prediction": "noise"}, "one of 'clean', 'velocity'"),
    ],
)
def test_contradicting_configurations_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small_dynamics(**change)


def test_wrong_shapes_are_refused_by_name() -> None:
    model = MultiViewDynamics(small_dynamics())
    context, _, actions, state = moving_squares(2)
    with pytest.raises(ShapeError, match=r"actions must be \(2, 10, 1\)"):
        model.sample(context, actions[:, :5], state)
    with pytest.raises(ShapeError, match="uint8"):
        model.sample(context.float(), actions, state)
    with pytest.raises(ShapeError, match="state is absent"):
        model.sample(context, actions)


def test_configuration_survives_json_and_refuses_unknown_fields() -> None:
    config = ROBOTS["one arm, two views, 45 actions"]
    assert DynamicsConfig.from_dict(config.to_dict()) == config
    with pytest.raises(ConfigError, match="wings"):
        DynamicsConfig.from_dict({**config.to_dict(), "wings": 2})

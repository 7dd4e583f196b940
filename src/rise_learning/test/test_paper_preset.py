"""The preset `paper` through the usual commands, its classes at test size and its numbers as published."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from published import TINY_VAE, ge_base_tensors, openpi_tensors, tiny_ge_dynamics, write_vae
from safetensors.torch import load_file, save_file
from synthetic import make_episode, small_contract

from rise_learning import cli, self_improve, train_dynamics, train_policy, train_value
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import ConfigError
from rise_learning.evaluation.agent import DeploymentConfig, sample_once
from rise_learning.model_choices import GeBaseModel, Pi05Backbone
from rise_learning.policy.checkpoint import load_policy
from rise_learning.policy.pi05_policy import Pi05Policy
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.training.policy_training import OfflineSamples
from rise_learning.training.world_model_io import load_dynamics, load_value
from rise_worldmodel.config import LtxVaeConfig
from rise_worldmodel.ltx_vae import LtxVaeCodec
from rise_worldmodel.pi05.config import tiny_pi05
from rise_worldmodel.pi05.value import Pi05Value

CONTRACT = small_contract(chunk_size=18)
COMMANDS = (train_value, train_dynamics, train_policy, self_improve)


def make_episodes() -> EpisodeSet:
    """Demonstrations and rollouts of 32x64 frames, long enough for chunks of nine frames."""
    kinds = [("demonstration", "success")] * 4 + [("rollout", "failure"), ("rollout", "success")] * 2
    episodes = [
        make_episode(CONTRACT, seed, frames=16, kind=kind, outcome=outcome)
        for seed, (kind, outcome) in enumerate(kinds)
    ]
    views = len(CONTRACT.cameras)
    return EpisodeSet(
        CONTRACT,
        [
            dataclasses.replace(
                episode,
                frames=np.random.default_rng(episode.seed).integers(0, 256, (16, views, 32, 64, 3), dtype=np.uint8),
            )
            for episode in episodes
        ],
    )


def write_published(root: Path) -> tuple[Path, Path, Path]:
    """Synthetic pi0.5, GE-Base and VAE in their published layouts."""
    for name in ("pi05", "ge"):
        (root / name).mkdir()
    save_file(openpi_tensors(tiny_pi05()), root / "pi05" / "model.safetensors")
    config = tiny_ge_dynamics(views=len(CONTRACT.cameras), action_dim=CONTRACT.action_dim)
    save_file(ge_base_tensors(config), root / "ge" / "ge_base_fast_v0.1.safetensors")
    write_vae(root / "vae")
    return root / "pi05", root / "ge", root / "vae"


def few(args, out: Path, **training):
    """A command's flags of the preset `paper` for two steps of four samples."""
    loop = dataclasses.replace(args.training.loop, steps=2, batch_size=4, warmup_steps=1, accumulate=2)
    settings = dataclasses.replace(args.training, loop=loop, **training)
    return dataclasses.replace(args, bags=(out,), out=out, threads=1, training=settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory after value, dynamics, imitation, warm-up and self-improvement."""
    root = tmp_path_factory.mktemp("paper")
    pi05, ge_base, vae = write_published(root)
    out, tiny, episodes = root / "run", tiny_pi05(), make_episodes()
    choice = GeBaseModel(ge_base=str(ge_base), vae=str(vae), heads=2, head_dim=12, layers=4, caption_channels=10)
    small = dataclasses.replace(get_preset("paper"), image_size=(32, 64))
    with pytest.MonkeyPatch.context() as patch:
        for command in COMMANDS:
            patch.setattr(command, "load_bags", lambda paths, size: episodes)
            patch.setattr(command, "get_preset", lambda name: small)
        value, dynamics, policy, improve = (few(command.Args.from_preset("paper"), out) for command in COMMANDS)
        backbone = Pi05Backbone(tiny, str(pi05))
        train_value.train(few(value, out, backbone=backbone, held_out=0.3))
        train_dynamics.train(few(dynamics, out, model=choice, held_out=0.3, reported_chunks=2))
        shrunk = dataclasses.replace(policy.training.policy, architecture=tiny, weights=str(pi05))
        policy = few(policy, out, policy=shrunk)
        train_policy.train(dataclasses.replace(policy, imitation=True))
        train_policy.train(dataclasses.replace(policy, init=out / "imitation"))
        self_improve.train(few(improve, out, starts_per_rollout=2, flow_steps=2, dynamics_steps=2))
    return out


def test_every_stage_stands_on_published_classes(run: Path) -> None:
    assert isinstance(load_value(run / "value", CONTRACT), Pi05Value)
    dynamics = load_dynamics(run / "dynamics", CONTRACT)
    assert isinstance(dynamics.codec, LtxVaeCodec) and dynamics.config.codec == LtxVaeConfig(TINY_VAE)
    for stage in ("imitation", "policy", "self_improved"):
        assert isinstance(load_policy(run / stage, CONTRACT).policy, Pi05Policy)


def test_the_improved_policy_answers_as_deployed(run: Path) -> None:
    policy = load_policy(run / "self_improved", CONTRACT).policy
    samples = OfflineSamples.all_frames(make_episodes(), np.full(8 * 16, 10))
    inputs, _ = samples.batch(np.random.default_rng(0), 2, policy.config.history)
    chunks = sample_once(policy, inputs, np.random.default_rng(0), DeploymentConfig(flow_steps=2, guidance=2.0))
    assert chunks.shape == (2, CONTRACT.chunk_size, CONTRACT.action_dim) and np.isfinite(chunks).all()


def test_the_frozen_vae_is_the_published_one_after_training(run: Path) -> None:
    model = load_dynamics(run / "dynamics", CONTRACT)
    torch.testing.assert_close(model.codec.vae.latents_mean, torch.linspace(-1, 1, 8))
    for name, tensor in load_file(run.parent / "vae" / "diffusion_pytorch_model.safetensors").items():
        assert torch.equal(model.codec.vae.state_dict()[name], tensor), name


def test_settings_are_those_of_tables_viii_to_x() -> None:
    preset = get_preset("paper")
    assert preset.image_size == (192, 256)
    dynamics, value, improve = preset.dynamics.loop, preset.value, preset.self_improvement
    assert (dynamics.learning_rate, dynamics.warmup_steps, dynamics.min_lr_ratio) == (1e-4, 2000, 1)
    assert dynamics.batch_size == value.loop.batch_size == 64
    assert (value.loop.learning_rate, value.loop.steps, value.discount) == (2.5e-5, 50_000, 0.995)
    assert value.progress_only_share * value.loop.steps == 10_000
    loop = improve.loop
    assert (loop.learning_rate, loop.min_lr_ratio, loop.ema_decay, loop.batch_size) == (1e-4, 0.1, 0.995, 64)
    assert (improve.offline_share, improve.chunks_per_start, improve.dynamics_steps) == (0.6, 2, 50)


def test_flags_of_a_preset_are_those_of_its_models(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--bags", "b", "--out", "o", "--preset"]

    def parsed(command, *more: str):
        return cli.parse(command.Args.from_preset, PRESET_NAMES, [*flags, *more]).training

    assert parsed(train_policy, "paper", "--training.policy.weights", "w").policy.weights == "w"
    assert parsed(train_value, "paper", "--training.backbone.weights", "w").backbone.weights == "w"
    assert (
        parsed(train_dynamics, "paper", "--training.model.ge-base", "g", "--training.model.vae", "v").model.vae == "v"
    )
    assert parsed(train_policy, "tiny", "--training.policy.width", "96").policy.width == 96
    with pytest.raises(SystemExit):
        parsed(train_policy, "tiny", "--training.policy.weights", "w")


def test_nobody_trains_large_models_from_nothing_by_accident() -> None:
    episodes = make_episodes()
    with pytest.raises(ConfigError, match="--training.model.ge-base: name the local directory of GE-Base"):
        train_dynamics.new_dynamics(episodes, (32, 64), 0, GeBaseModel())
    settings = dataclasses.replace(get_preset("paper").value, backbone=Pi05Backbone(tiny_pi05(), "/nowhere"))
    with pytest.raises(ConfigError, match="--training.backbone.weights /nowhere does not exist"):
        train_value.new_value(episodes, ((), ()), settings, (32, 64), 0)

"""Flags of Tables IV to VI: each changes what it says, is recorded, and is not resumed as something else."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import SIZE, make_episode, small_contract

from rise_learning import cli, train_dynamics, train_value
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.model_choices import ARCHITECTURES, PatchModel
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.training.base import find_base
from rise_learning.training.checkpoint import load_latest
from rise_learning.training.dynamics_models import small_config
from rise_learning.training.world_model_io import load_dynamics, load_inputs
from rise_robot.core.contract import Contract, config_path

CONTRACT = small_contract()
TASKS = ("brick_sorting", "box_closing", "backpack_packing")


def make_episodes() -> EpisodeSet:
    """Three tasks, each with its instruction, successes and failures."""
    kinds = [("demonstration", "success"), ("rollout", "failure"), ("rollout", "success")] * 3
    return EpisodeSet(
        CONTRACT,
        [
            dataclasses.replace(
                make_episode(CONTRACT, seed, kind=kind, outcome=outcome),
                task=TASKS[seed // 3],
                instruction=f"do {TASKS[seed // 3]}",
            )
            for seed, (kind, outcome) in enumerate(kinds)
        ],
    )


EPISODES = make_episodes()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up episodes of small frames in place of bags."""
    preset = dataclasses.replace(get_preset("tiny"), image_size=SIZE)
    for command in (train_dynamics, train_value):
        monkeypatch.setattr(command, "load_bags", lambda paths, size: EPISODES)
        monkeypatch.setattr(command, "get_preset", lambda name: preset)


def parsed(command, out: Path, *flags: str):
    argv = ["--bags", "b", "--out", str(out), "--threads", "1", "--training.loop.steps", "2"]
    argv += ["--training.loop.batch-size", "6", *flags]
    if command is train_value:
        return cli.parse(command.Args.from_preset, PRESET_NAMES, argv)
    small = ["--training.model.heads", "1", "--training.model.layers", "2", "--training.model.channels", "16"]
    argv += ["--training.reported-chunks", "2", *small]
    return cli.parse(command.Args.from_preset, PRESET_NAMES, argv, architecture=ARCHITECTURES)


def imagined(out: Path, chunk_sign: float, instruction: str = "do box_closing") -> torch.Tensor:
    """One future of a trained run, for a chunk or its opposite."""
    model = load_dynamics(out / "dynamics", CONTRACT)
    context, _, _ = train_dynamics.clip(EPISODES, np.array([0]), load_inputs(out / "dynamics", CONTRACT, model.config))
    state = torch.from_numpy(EPISODES.state[:1])
    chunk = state[:, None] + chunk_sign * torch.linspace(0, 0.5, CONTRACT.chunk_size)[None, :, None]
    told = load_inputs(out / "dynamics", CONTRACT, model.config)(state, chunk, [instruction])
    return model.sample(context, told.actions, told.state, maps=told.maps, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("flags", "reads_actions", "recorded"),
    [
        (("--no-actions",), False, ["--no-actions"]),
        (("--no-control-maps", "--no-pretrain"), True, ["--no-pretrain", "--no-control-maps"]),
        (("--architecture", "cosmos"), True, []),
        (("--architecture", "genie_envisioner"), False, []),
    ],
    ids=["no_actions", "no_control_maps", "cosmos", "genie_envisioner"],
)
def test_what_the_future_depends_on(tmp_path: Path, flags, reads_actions: bool, recorded) -> None:
    train_dynamics.train(parsed(train_dynamics, tmp_path, *flags))
    config = json.loads((tmp_path / "dynamics" / "config.json").read_text())
    assert config["ablations"] == recorded and not config["model"]["control_maps"]
    for flag in recorded:
        assert config["args"][flag.removeprefix("--no-").replace("-", "_")] is False
    assert torch.equal(imagined(tmp_path, 1.0), imagined(tmp_path, -1.0)) != reads_actions
    reads_text = "genie_envisioner" in flags
    other = imagined(tmp_path, 1.0, "do brick_sorting")
    assert torch.equal(imagined(tmp_path, 1.0), other) != reads_text
    assert (tmp_path / "dynamics" / "held_out.json").is_file()


def test_ours_is_shown_control_maps_of_the_simulated_cell(tmp_path: Path) -> None:
    args = parsed(train_dynamics, tmp_path)
    choice = args.training.model
    with_maps = train_dynamics.small_config(choice, CONTRACT, SIZE)
    without = train_dynamics.small_config(choice, CONTRACT, SIZE, control_maps=False)
    assert with_maps.control_maps and dataclasses.replace(with_maps, control_maps=False) == without


def test_what_the_base_has_read_is_not_held_out(tmp_path: Path) -> None:
    train_dynamics.train(parsed(train_dynamics, tmp_path, "--no-control-maps"))
    base = ("--no-control-maps", "--base", str(tmp_path / "dynamics"))
    train_dynamics.train(parsed(train_dynamics, tmp_path / "same", *base))
    assert (tmp_path / "same/dynamics/held_out.json").is_file(), "the same episodes were set aside"
    train_dynamics.train(parsed(train_dynamics, tmp_path / "other", *base, "--seed", "1"))
    assert not (tmp_path / "other/dynamics/held_out.json").exists()


def test_another_ablation_does_not_resume(tmp_path: Path) -> None:
    train_dynamics.train(parsed(train_dynamics, tmp_path, "--no-control-maps"))
    with pytest.raises(CheckpointError, match="flags.task_centric: True there, False here"):
        train_dynamics.train(parsed(train_dynamics, tmp_path, "--no-control-maps", "--no-task-centric"))


def test_task_centric_batches_hold_few_tasks_of_many(tmp_path: Path) -> None:
    def tasks(*flags: str) -> list[int]:
        objective = train_dynamics.DynamicsObjective(None, None, EPISODES, parsed(train_dynamics, tmp_path, *flags))
        batches = [objective.complete[objective.sampler.batch(step)] for step in range(20)]
        return [len({EPISODES.episodes[number].task for number in EPISODES.episode_of[g]}) for g in batches]

    assert set(tasks()) == {2}
    assert set(tasks("--training.tasks-per-batch", "1")) == {1}
    assert max(tasks("--no-task-centric")) == 3


def test_objects_have_a_size_only_where_maps_show_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it needs --map-objects"):
        train_dynamics.train(parsed(train_dynamics, tmp_path, "--object-size", "0.05", "0.04", "0.04"))


def test_without_pretraining_no_base_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--no-pretrain and --base runs/x contradict"):
        train_dynamics.train(parsed(train_dynamics, tmp_path, "--no-pretrain", "--base", "runs/x"))
    base = tmp_path / "base"
    train_dynamics.train(parsed(train_dynamics, base, "--no-control-maps"))
    flags = ("--no-control-maps", "--base", str(base / "dynamics"), "--training.loop.learning-rate", "1e-9")
    train_dynamics.train(parsed(train_dynamics, tmp_path / "tuned", *flags))
    assert json.loads((tmp_path / "tuned/dynamics/config.json").read_text())["from_base"]
    ours, theirs = (
        load_dynamics(out / "dynamics", CONTRACT).actions.frame.weight for out in (tmp_path / "tuned", base)
    )
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="another model than the flags ask for: condition 'actions', not 'nothing'"):
        train_dynamics.train(
            parsed(train_dynamics, tmp_path / "other", "--no-actions", "--base", str(base / "dynamics"))
        )


def test_a_peer_is_not_ablated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--no-actions is for our dynamics"):
        train_dynamics.train(parsed(train_dynamics, tmp_path, "--architecture", "cosmos", "--no-actions"))
    with pytest.raises(ConfigError, match="no architecture 'cosmo'; did you mean cosmos?"):
        parsed(train_dynamics, tmp_path, "--architecture", "cosmo")


def losses(tmp_path: Path, *flags: str) -> dict[str, torch.Tensor]:
    """Metrics of the last step of a value training, before any of it."""
    args = parsed(train_value, tmp_path, *flags)
    rubric = EPISODES.rubric_classes()
    model = train_value.new_value(EPISODES, rubric, args.training, SIZE, 0).train()
    objective = train_value.ValueObjective(
        model, EPISODES, rubric, args.training, 0, progress=args.progress, td=args.td
    )
    return objective(1)


def test_a_value_training_that_is_made_longer_goes_on_with_td(tmp_path: Path) -> None:
    short, long = ("--training.loop.steps", "4"), ("--training.loop.steps", "100")
    train_value.train(parsed(train_value, tmp_path, "--training.loop.log-every", "1", *short))
    args = parsed(train_value, tmp_path, *long)
    rubric = EPISODES.rubric_classes()
    model = train_value.new_value(EPISODES, rubric, args.training, SIZE, 0)
    objective = train_value.ValueObjective(model, EPISODES, rubric, args.training, 0)
    assert "td" not in objective(4), "a training of its own begins with progress"
    sections, _ = load_latest(tmp_path / "value" / "checkpoints")
    objective.restore(sections["extra"])
    assert "td" in objective(4)


def test_value_goes_without_progress_or_without_td(tmp_path: Path) -> None:
    weight = get_preset("tiny").value.auxiliary_weight
    both, progress, td = losses(tmp_path), losses(tmp_path, "--no-td"), losses(tmp_path, "--no-progress")
    rest = weight * both["auxiliary"]
    assert "td" not in progress
    torch.testing.assert_close(progress["loss"], both["progress"] + rest)
    torch.testing.assert_close(td["loss"], both["td"] + rest)
    torch.testing.assert_close(both["loss"], both["progress"] + both["td"] + rest)
    with pytest.raises(ConfigError, match="leave nothing to learn"):
        losses(tmp_path, "--no-td", "--no-progress")
    train_value.train(parsed(train_value, tmp_path / "td", "--no-progress"))
    assert json.loads((tmp_path / "td/value/config.json").read_text())["ablations"] == ["--no-progress"]


def test_the_shipped_base_is_not_taken_for_a_model_of_other_patches(tmp_path: Path) -> None:
    """Flags of the codec would be ignored without a word."""
    contract = Contract.load(config_path("contract_tiny.yaml"))
    size = get_preset("tiny").image_size
    usual = small_config(PatchModel(), contract, size)
    assert find_base("auto", contract, size, usual) is not None
    for choice in (PatchModel(patch=8), PatchModel(channels=96)):
        assert find_base("auto", contract, size, small_config(choice, contract, size)) is None


def test_a_value_model_that_was_shown_imagined_frames_is_of_these_dynamics(tmp_path: Path) -> None:
    shown = ("--training.imagined-share", "0.5", "--training.imagined-chunks", "3", "--training.imagined-links", "1")
    with pytest.raises(CheckpointError, match="dynamics/model.safetensors does not exist; train it first"):
        train_value.train(parsed(train_value, tmp_path, *shown))
    train_dynamics.train(parsed(train_dynamics, tmp_path))
    args = parsed(train_value, tmp_path, *shown)
    train_value.train(args)
    train_value.train(args)
    assert (tmp_path / "value/shown_frames_0.safetensors").is_file()
    train_dynamics.train(parsed(train_dynamics, tmp_path, "--training.loop.steps", "3"))
    with pytest.raises(CheckpointError, match="models.dynamics"):
        train_value.train(args)

"""The five learning commands and the offline report on a robot with 8 joints, three cameras at 5 Hz and other names."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import droid_helpers
import numpy as np
import pytest

from rise_learning import (
    evaluate_world_model,
    import_episodes,
    offline_report,
    self_improve,
    train_dynamics,
    train_policy,
    train_value,
)
from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.loading import load_bags
from rise_learning.data.normalizer import Normalizer
from rise_learning.errors import CheckpointError, ConfigError, DataError
from rise_learning.evaluation.held_out_text import held_out_lines
from rise_learning.evaluation.offline import action_errors, holding_still
from rise_learning.policy.checkpoint import load_policy, load_warmed_up
from rise_learning.presets import get_preset
from rise_learning.training import base
from rise_learning.training.world_model_io import (
    load_dynamics,
    load_value,
    save_trained,
)
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.tracking import JointTracking
from rise_worldmodel.config import tiny_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics

DROID = Contract.load(config_path("contract_droid.yaml"))
STEPS = 2


def few(args, bags: Path, out: Path, **training: object):
    """A command's flags for STEPS steps with small batches."""
    loop = dataclasses.replace(args.training.loop, steps=STEPS, batch_size=8)
    settings = dataclasses.replace(args.training, loop=loop, **training)
    return dataclasses.replace(args, bags=(bags,), out=out, threads=1, training=settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(run, bags) after all five commands on bags/train."""
    root = tmp_path_factory.mktemp("other_robot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISE_CACHE", str(root / "cache"))
        source = droid_helpers.write_recordings(root / "recordings", frames=24)
        import_episodes.import_episodes(import_episodes.Args(source=source, out=root / "bags", json=True))
        bags, run = root / "bags/train", root / "run"
        train_value.train(few(train_value.Args.from_preset("tiny"), bags, run))
        train_dynamics.train(few(train_dynamics.Args.from_preset("tiny"), bags, run))
        policy = train_policy.Args.from_preset("tiny")
        five = dataclasses.replace(policy.training.policy, bins=5)
        policy = few(policy, bags, run, policy=five, experts_apart=True)
        train_policy.train(dataclasses.replace(policy, imitation=True))
        train_policy.train(policy)
        self_improve.train(few(self_improve.Args.from_preset("tiny"), bags, run, starts_per_rollout=4))
        offline_report.make_report(offline_report.Args(run=run, bags=(root / "bags/val",), chunks=4, threads=1))
    return run, root / "bags"


def test_labels_are_those_that_the_policy_can_be_asked_for(trained: tuple[Path, Path]) -> None:
    """Of five bins experts have the last one to themselves where rollouts are judged, and no label is beyond."""
    run, _ = trained
    found = [load_policy(run / stage, DROID) for stage in ("imitation", "policy", "self_improved")]
    assert [policy.policy.config.bins for policy in found] == [5, 5, 5]
    assert [policy.bin_asked(None) for policy in found] == [5, 4, 4]
    counts = json.loads((run / "policy/labels.json").read_text())
    assert "bin_6" not in counts and counts["bin_5"] == 0 < counts["bin_4"]


def test_imitation_knows_no_advantages(trained: tuple[Path, Path]) -> None:
    """Self-improvement cannot begin with it: its bins would be made up."""
    run, _ = trained
    with pytest.raises(CheckpointError, match="no advantage bins; warm it up"):
        load_warmed_up(run / "imitation", DROID)


def test_a_policy_begun_with_another_keeps_its_sizes_and_takes_what_its_weights_do_not_know(
    trained: tuple[Path, Path],
) -> None:
    run, _ = trained
    args = dataclasses.replace(train_policy.Args.from_preset("tiny"), init=run / "imitation")

    def asking(**settings: object) -> train_policy.Args:
        policy = dataclasses.replace(args.training.policy, **settings)
        return dataclasses.replace(args, training=dataclasses.replace(args.training, policy=policy))

    assert train_policy.begin_policy(args, DROID).config == load_policy(run / "imitation", DROID).policy.config
    begun = train_policy.begin_policy(asking(bin_dropout=0.5, bins=5), DROID)
    assert (begun.config.bin_dropout, begun.config.bins) == (0.5, 5)
    with pytest.raises(ConfigError, match=r"keeps its sizes \(width \d+ there, 999 asked for\)"):
        train_policy.begin_policy(asking(width=999), DROID)


def test_every_model_takes_its_sizes_from_the_contract(trained: tuple[Path, Path]) -> None:
    run, _ = trained
    dynamics, value = load_dynamics(run / "dynamics", DROID).config, load_value(run / "value", DROID).config
    assert (dynamics.action_dim, dynamics.chunk_size, dynamics.future_frames) == (8, 45, 15)
    assert dynamics.views == value.views == 3
    assert value.encoder_of_view == (0, 0, 1), "outside cameras share an encoder, the wrist has its own"
    for stage in ("imitation", "policy", "self_improved"):
        config = load_policy(run / stage, DROID).policy.config
        assert (config.action_dim, config.chunk_size, config.view_groups) == (8, 45, (0, 0, 1))


def test_the_report_states_every_figure_on_episodes_not_trained_on(trained: tuple[Path, Path]) -> None:
    run, _ = trained
    report = json.loads((run / "offline_report.json").read_text())
    assert [episode["episode_id"] for episode in report["episodes"]] == ["droid-val-7", "droid-val-8"]
    for name in ("psnr", "psnr_copy_last", "psnr_shuffled_actions", "codec_psnr"):
        assert 5 < report["dynamics"][name] < 60
        assert 5 < report["dynamics"][f"{name}_moving"] < 60
    assert report["dynamics"]["chunks"] == 8
    assert 0 <= report["value"]["auc_success_vs_failure_last"] <= 1
    for group, episodes in (("all", 2), ("success", 1), ("failure", 1)):
        figures = report["policies"][group]
        assert figures["episodes"] == episodes
        for policy in ("imitation", "policy", "self_improved", "holding_still"):
            assert tuple(figures[policy]["by_joint"]) == DROID.joint_names
            assert len(figures[policy]["mean_rad_by_frame"]) == 15
    assert (run / "offline_report.png").stat().st_size > 10_000


def test_the_report_refuses_episodes_of_the_training(
    trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, bags = trained
    monkeypatch.setenv("RISE_CACHE", str(run.parent / "cache"))
    with pytest.raises(DataError, match="droid-train-0.* were used to train .*value"):
        offline_report.make_report(offline_report.Args(run=run, bags=(bags,), threads=1))
    copied = run.parent / "copied"
    source = run.parent / "recordings"
    if not copied.exists():
        import_episodes.import_episodes(import_episodes.Args(source=source, out=copied, json=True))
    with pytest.raises(DataError, match="droid-train-0.* were used to train .*value"):
        offline_report.make_report(offline_report.Args(run=run, bags=(copied / "train",), threads=1))
    with pytest.raises(CheckpointError, match="lacks value and dynamics"):
        offline_report.make_report(offline_report.Args(run=bags, bags=(bags / "val",), threads=1))


def test_a_bag_named_twice_counts_once_and_a_copy_is_refused(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, bags = trained
    monkeypatch.setenv("RISE_CACHE", str(run.parent / "cache"))
    size = get_preset("tiny").image_size
    once, twice = load_bags([bags / "val"], size), load_bags([bags, bags / "val"], size)
    assert len(load_bags([bags], size)) == len(twice) > len(once)
    shutil.copytree(bags / "val", tmp_path / "copied")
    with pytest.raises(DataError, match=r"episode droid-val-7 lies in .*val.* and in .*copied"):
        load_bags([bags / "val", tmp_path / "copied"], size)


def test_without_a_value_model_the_videos_are_measured(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, bags = trained
    monkeypatch.setenv("RISE_CACHE", str(run.parent / "cache"))
    shutil.copytree(run / "dynamics", tmp_path / "dynamics")
    asked = evaluate_world_model.Args(run=tmp_path, bags=(bags / "val",), chunks=4, videos=1, threads=1)
    report = evaluate_world_model.evaluate(asked)
    low, high = report["dynamics"]["interval95_gain_over_copy_last_db"]
    assert low <= report["dynamics"]["gain_over_copy_last_db"] <= high
    assert [(tmp_path / "world_model" / name).is_file() for name in report["held_out_clips"]] == [True]
    assert "value: the run has no value model" in held_out_lines(report)
    with pytest.raises(ConfigError, match="--compare-steps needs a value model"):
        evaluate_world_model.evaluate(dataclasses.replace(asked, compare_steps=(1, 2)))
    with pytest.raises(ConfigError, match="nothing to measure"):
        evaluate_world_model.evaluate(dataclasses.replace(asked, bags=()))


def test_units_do_not_mix_in_action_errors(trained: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    run, bags = trained
    monkeypatch.setenv("RISE_CACHE", str(run.parent / "cache"))
    episodes = offline_report.load_bags([bags / "val"], (48, 64))
    g = np.array([0, 3])
    still = holding_still(episodes, g)
    np.testing.assert_array_equal(still[1, 44], episodes.state[9])
    offset = still + np.array([0.1] * 7 + [0.02])
    offset[:, 3:6] += np.array([0.45] + [0.0] * 7)  # the second frame's actions of the first joint
    errors = action_errors(offset, still, episodes)
    assert errors["mean_rad"] == pytest.approx(0.1 + 0.45 * 3 / 45 / 7, rel=1e-5)
    assert errors["mean_m"] == pytest.approx(0.02, rel=1e-5)
    assert errors["by_joint"]["panda_joint1"] == pytest.approx(0.13, rel=1e-5)
    assert errors["mean_rad_by_frame"][:3] == pytest.approx([0.1, 0.1 + 0.45 / 7, 0.1], rel=1e-5)


def test_base_of_another_robot_is_never_started_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piper = Contract.load(config_path("contract_tiny.yaml"))
    model = MultiViewDynamics(tiny_dynamics(piper.action_dim))
    inputs = DynamicsInputs(piper, model.config, Normalizer(14), JointTracking((1.0,) * 14))
    save_trained(tmp_path / "dynamics", model, piper, **inputs.texts())
    monkeypatch.setattr(base, "SHIPPED", tmp_path)
    assert base.find_base("auto", piper, (48, 64)) is not None
    assert base.find_base("auto", DROID, (48, 64)) is None

"""Four training steps equal two, a kill, a resume and two more: weights, EMA and logged metrics, bit by bit."""

import json

import numpy as np
import pytest
import torch
from synthetic import make_set, small_policy_config
from test_imagined_episodes import Perfect
from test_label_path import BINS, JudgeAlike

from rise_learning.errors import CheckpointError
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.rl.statistics import Statistics
from rise_learning.training.checkpoint import restore_optimizer
from rise_learning.training.loop import LoopConfig, Trainer, learning_rate_at, step_rng
from rise_learning.training.policy_training import OfflineSamples, new_policy
from rise_learning.training.run_directory import RunDirectory
from rise_learning.training_settings import SelfImprovement

EPISODES = make_set()
SAMPLES = OfflineSamples.all_frames(EPISODES, np.full(len(EPISODES), 10))
CONFIG = LoopConfig(steps=4, batch_size=8, warmup_steps=1, checkpoint_every=2, log_every=1)


class Killed(Exception):
    pass


def policy_trainer(path, config=CONFIG, die_at=None, fingerprint=None):
    policy = new_policy(small_policy_config(EPISODES.contract), SAMPLES, 0)

    def loss(step):
        if step == die_at:
            raise Killed
        inputs, chunks = SAMPLES.batch(step_rng(0, step), config.batch_size, policy.config.history)
        return {"loss": policy.loss(inputs, chunks).mean()}

    return Trainer(policy, loss, config, RunDirectory(path), fingerprint=fingerprint or {})


def improvement_trainer(path, die_at=None, world_model=None, **settings):
    policy = new_policy(small_policy_config(EPISODES.contract), SAMPLES, 0)
    settings = SelfImprovement(loop=CONFIG, starts_per_rollout=3, rollout_every=2, buffer_size=10, **settings)
    loop = SelfImprovementLoop(policy, world_model or JudgeAlike(), SAMPLES, BINS, settings, seed=0)

    def loss(step):
        if step == die_at:
            raise Killed
        return loop.loss(step)

    trainer = Trainer(
        policy, loss, CONFIG, RunDirectory(path), fingerprint={}, before_step=loop.before_step, extra_state=loop.state
    )
    loop.restore(trainer.resumed_extra)
    loop.rollout_policy = trainer.ema.module
    trainer.loop = loop
    return trainer


def guided_trainer(path, die_at=None):
    return improvement_trainer(path, die_at, Perfect(), guided_chunks=2, replan_steps=4, candidates=3)


def assert_same(first, second):
    for ours, theirs in ((first.module, second.module), (first.ema.module, second.ema.module)):
        for name, tensor in ours.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


@pytest.mark.parametrize("make", [policy_trainer, improvement_trainer, guided_trainer])
@pytest.mark.parametrize("die_at", [2, 3])
def test_killed_and_resumed_equals_straight(tmp_path, make, die_at):
    straight = make(tmp_path / "straight")
    straight.run("straight")
    with pytest.raises(Killed):
        make(tmp_path / "killed", die_at=die_at).run("killed")
    resumed = make(tmp_path / "killed")
    assert resumed.step == 2
    resumed.run("resumed")
    assert_same(straight, resumed)
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("straight", "killed")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 4


def test_counters_of_self_improvement_add_up_over_a_resume(tmp_path):
    straight = improvement_trainer(tmp_path / "straight")
    straight.run("straight")
    with pytest.raises(Killed):
        improvement_trainer(tmp_path / "killed", die_at=3).run("killed")
    resumed = improvement_trainer(tmp_path / "killed")
    resumed.run("resumed")
    assert resumed.loop.statistics == straight.loop.statistics
    assert straight.loop.statistics.imagined == 2 * 3 * 2


def test_another_run_is_not_resumed(tmp_path):
    policy_trainer(tmp_path, fingerprint={"contract": "a"}).run("first")
    with pytest.raises(CheckpointError, match="contract: a there, b here"):
        policy_trainer(tmp_path, fingerprint={"contract": "b"})


def test_counts_of_steps_lie_with_their_parameters_after_a_resume():
    """ZeRO puts them on the CPU, which fused AdamW refuses on a GPU; `meta` stands for a device other than the CPU."""
    weight = torch.nn.Parameter(torch.empty(3, device="meta"))
    optimizer = torch.optim.AdamW([weight])
    moments = {f"0.{name}": torch.empty(3, device="meta") for name in ("exp_avg", "exp_avg_sq")}
    restore_optimizer(optimizer, {"0.step": torch.tensor(7.0), **moments})
    assert optimizer.state[weight]["step"].device.type == "meta"


def test_a_checkpoint_cut_short_is_named(tmp_path):
    policy_trainer(tmp_path).run("first")
    newest = sorted((tmp_path / "checkpoints").glob("step_*"))[-1] / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="step_00000004 cannot be read"):
        policy_trainer(tmp_path)


def test_a_checkpoint_being_written_at_the_kill_is_ignored(tmp_path):
    policy_trainer(tmp_path, LoopConfig(**{**vars(CONFIG), "steps": 2})).run("first")
    (tmp_path / "checkpoints" / ".tmp_00000003_1").mkdir()
    assert policy_trainer(tmp_path).step == 2


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    trainer = policy_trainer(tmp_path)
    trainer.loss_fn = lambda step: {"loss": torch.tensor(float("nan"), requires_grad=True)}
    with pytest.raises(FloatingPointError, match="at step 0"):
        trainer.run("nan")


def test_a_directory_is_trained_into_by_one_at_a_time(tmp_path):
    first = RunDirectory(tmp_path)
    first.claim()
    first.log(1, {"loss": 0.5})
    with pytest.raises(CheckpointError, match="being trained by another process"):
        policy_trainer(tmp_path)
    assert "0.5" in first.metrics.read_text(), "the second one leaves alone what the first has written"
    first.close()
    policy_trainer(tmp_path).run("alone again")


def test_what_several_processes_have_imagined_is_added_up():
    counted = [Statistics(imagined=3, episodes=1, bins=[1, 2]).state(), Statistics(imagined=4, bins=[0, 5]).state()]
    assert Statistics.of_all(counted) == Statistics(imagined=7, episodes=1, bins=[1, 7])


def test_a_training_that_is_refused_leaves_the_directory_to_the_right_one(tmp_path):
    policy_trainer(tmp_path, LoopConfig(**{**vars(CONFIG), "steps": 2})).run("first")
    meta = next((tmp_path / "checkpoints").glob("*/meta.json"))
    other = json.loads(meta.read_text())
    whole = meta.read_text()
    meta.write_text(json.dumps({**other, "fingerprint": {"flags": 1}}))
    with pytest.raises(CheckpointError, match="of another training") as refused:
        policy_trainer(tmp_path)
    meta.write_text(whole)
    assert policy_trainer(tmp_path).step == 2 and refused


@pytest.mark.parametrize("steps", [4, 300, 1000])
def test_the_learning_rate_rises_for_half_of_the_steps_at_most_and_then_falls(steps):
    config = LoopConfig(steps=steps, learning_rate=1.0, warmup_steps=300)
    rates = [learning_rate_at(step, config) for step in range(steps)]
    peak = min(300, steps // 2)
    assert max(rates) == rates[peak] == 1.0 and rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True) and rates[-1] < 0.6

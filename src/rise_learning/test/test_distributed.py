"""Training over two gloo processes: what one process with two micro-batches computes, resumed and sharded alike."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import distributed_helpers
import numpy as np
import pytest
import torch
from distributed_helpers import CONFIG, SAMPLES, imitate
from safetensors.torch import load_file
from synthetic import small_policy_config

from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.training import distributed
from rise_learning.training.policy_training import new_policy

PARAMETERS = list(new_policy(small_policy_config(SAMPLES.episodes.contract), SAMPLES, 0).named_parameters())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind, started with the environment that torchrun gives them."""
    out = tmp_path_factory.mktemp("pair")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    common = {**os.environ, "PYTHONPATH": paths, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, distributed_helpers.__file__, str(out)],
            env={**common, "RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(error[-3000:] for error in errors)
    return out


def weights(pair: Path, name: str, rank: int = 0) -> dict[str, torch.Tensor]:
    return load_file(pair / f"{name}_{rank}.safetensors")


def assert_close(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor], tolerance: float = 2e-6) -> None:
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], atol=tolerance, rtol=0, msg=name)


def test_two_processes_compute_what_one_does_with_two_micro_batches(pair: Path, tmp_path: Path) -> None:
    alone = imitate(tmp_path, dataclasses.replace(CONFIG, accumulate=2))
    alone.run("alone")
    assert_close(weights(pair, "straight"), alone.module.state_dict())
    lines, expected = (
        (path / "metrics.jsonl").read_text().splitlines() for path in (pair / "straight", tmp_path)
    )  # one process logs, the mean of both
    assert len(lines) == len(expected) == 4
    for ours, theirs in zip(lines, expected, strict=True):
        assert json.loads(ours)["loss"] == pytest.approx(json.loads(theirs)["loss"], rel=1e-4)


@pytest.mark.parametrize("name", ["resumed", "sharded"])
def test_two_processes_resume_where_they_stopped(pair: Path, name: str) -> None:
    assert_close(weights(pair, name, 0), weights(pair, name, 1), 0)
    assert_close(weights(pair, "straight"), weights(pair, name))


def test_parameters_that_are_shared_out_train_as_whole_ones(pair: Path) -> None:
    straight = weights(pair, "straight")
    for name in ("fully", "fully_resumed"):
        found = weights(pair, name)
        assert_close(found, weights(pair, name, 1), 0)
        assert_close(straight, found)
    numbers = sum(tensor.numel() for key, tensor in straight.items() if key in dict(PARAMETERS))
    kept = [json.loads((pair / f"fully_{rank}.json").read_text()) for rank in (0, 1)]
    assert sum(kept) == numbers and max(kept) < 0.6 * numbers
    stored = load_file(sorted((pair / "fully/checkpoints").glob("step_*"))[-1] / "model.safetensors")
    assert_close(straight, stored)
    average = load_file(sorted((pair / "straight/checkpoints").glob("step_*"))[-1] / "ema.safetensors")
    assert_close(
        average, {key.removeprefix("ema."): t for key, t in weights(pair, "fully").items() if key[:4] == "ema."}
    )


@pytest.mark.parametrize("name", ["dynamics", "value"])
def test_the_world_model_trains_shared_out_and_accumulating(pair: Path, name: str) -> None:
    ours, theirs = weights(pair, f"{name}_shared"), weights(pair, f"{name}_whole")
    assert ours.keys() == theirs.keys()
    assert_close(ours, theirs, 1e-5)
    losses = [[json.loads(line)["loss"] for line in (pair / f"{name}_{kind}/metrics.jsonl").read_text().splitlines()]
              for kind in ("shared", "whole")]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and len(losses[0]) == 2


def test_self_improvement_refuses_parameters_that_are_shared_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shard-parameters is for train_"):
        distributed_helpers.improve(tmp_path, distributed_helpers.FULLY)


def test_another_number_of_processes_does_not_resume(pair: Path) -> None:
    with pytest.raises(CheckpointError, match="was written by 2 processes, this run has 1"):
        imitate(pair / "straight", CONFIG)


def test_every_process_imagines_its_own_and_finds_it_again(pair: Path) -> None:
    straight, resumed = (
        [json.loads((pair / f"loop_{name}_{rank}.json").read_text()) for rank in (0, 1)]
        for name in ("straight", "resumed")
    )
    for ours, theirs in zip(straight, resumed, strict=True):
        assert ours["statistics"] == theirs["statistics"] and ours["statistics"]["imagined"] == 2 * 3 * 2
        assert ours["buffered"] == pytest.approx(theirs["buffered"], rel=1e-5)
    assert straight[0]["buffered"] != pytest.approx(straight[1]["buffered"], rel=1e-5), "processes draw other states"


def test_draws_are_unique_over_steps_micro_batches_and_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [distributed.draw_number(step) for step in range(3)] == [0, 1, 2]
    seen, parts = [], []
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        for step in range(4):
            for number in range(2):
                with distributed.micro_batch(number, 2):
                    seen.append(distributed.draw_number(step))
                    parts.append(distributed.draw_part())
    assert sorted(seen) == list(range(24)) and sorted(parts) == sorted(list(range(6)) * 4)


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dataclasses.replace(CONFIG, accumulate=2).local_batch_size == 4
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="batch of 8 cannot be divided among 3 processes"):
        _ = CONFIG.local_batch_size


def test_accumulated_gradients_are_those_of_the_mean(tmp_path: Path) -> None:
    trainer = imitate(tmp_path, dataclasses.replace(CONFIG, accumulate=2, steps=1, clip_norm=1e9))
    expected = []
    for draw in range(2):
        torch.manual_seed(int(np.random.default_rng([0, draw]).integers(2**62)))
        inputs, chunks = SAMPLES.batch(np.random.default_rng([0, draw]), 4, trainer.module.config.history)
        loss = trainer.module.train().loss(inputs, chunks).mean()
        expected.append(torch.autograd.grad(loss, trainer.module.head.output.weight)[0])
    trainer.run("one")
    found = trainer.module.head.output.weight.grad
    torch.testing.assert_close(found, (expected[0] + expected[1]) / 2, atol=1e-6, rtol=1e-4)

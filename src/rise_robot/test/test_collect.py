"""`collect` writes what physics did: outcomes, executed and clean commands, the same bag for the same seed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from rise_robot import collect
from rise_robot.bag import check
from rise_robot.bag.reader import read_episodes
from rise_robot.collect import CollectConfig
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.core.resampling import resample_episode
from rise_robot.recording import collect_episode
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.robot import SimulatedRobot


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.load(config_path("contract_tiny.yaml"))


@pytest.fixture(scope="module")
def demos(tmp_path_factory, contract):
    out = tmp_path_factory.mktemp("bags") / "demos"
    summary = collect.collect(CollectConfig(episodes=2, noise=(0.0, 0.01)), contract, out, progress=False)
    return out, summary


def test_demonstrations_are_successes_that_pass_the_check(demos, contract, capsys):
    out, summary = demos
    episodes = list(read_episodes(out, contract=contract))
    assert [e.outcome for e in episodes] == ["success", "success"] == ["success"] * summary.successes
    assert summary.attempts == summary.episodes + summary.discarded
    assert check.main([str(out), "--json"]) == 0
    (bag,) = json.loads(capsys.readouterr().out)["bags"]
    assert [episode["problems"] for episode in bag["episodes"]] == [[], []]


def test_every_step_has_an_observation_of_its_own_time(demos):
    for episode in read_episodes(demos[0]):
        resampled = resample_episode(episode)
        assert len(resampled) == len(episode.commands) and resampled.late_start_s == 0
        np.testing.assert_array_equal(resampled.action, episode.commands.astype(np.float32))
        np.testing.assert_array_equal(resampled.state, episode.joint_positions[:-1].astype(np.float32))
        for index in resampled.frame_indices.values():
            np.testing.assert_array_equal(index, np.arange(len(index)))


def test_noise_is_executed_and_the_clean_command_kept(demos):
    for episode in read_episodes(demos[0]):
        spread = np.std(episode.commands - episode.clean_commands)
        assert 0 < spread < 0.02
        np.testing.assert_allclose(episode.joint_positions[1:, 0], episode.commands[:, 0], atol=0.15)


def test_events_end_with_the_score_of_the_episode(demos):
    for episode in read_episodes(demos[0]):
        assert [event.name for event in episode.events][:2] == ["grasp", "place_matched"]
        assert episode.events[-1].score == pytest.approx(episode.score)
        assert all(episode.start_ns <= event.stamp <= episode.end_ns for event in episode.events)


def test_the_same_seed_gives_the_same_bag_with_one_worker_or_two(tmp_path, contract):
    config = CollectConfig(episodes=2, seed=7, kind="rollout", noise=(0.0, 0.02), corruption_rate=0.5)
    for name, workers in (("one", 1), ("two", 2)):
        collect.collect(config, contract, tmp_path / name / "bag", workers=workers, progress=False)
    one, two = ((tmp_path / name / "bag" / "bag.mcap").read_bytes() for name in ("one", "two"))
    assert one == two


def test_corrupted_rollouts_are_kept_with_the_outcome_of_physics(tmp_path, contract):
    config = CollectConfig(
        episodes=2, kind="rollout", corruptions=("no_close",), corruption_rate=1.0, corruption_probability=1.0
    )
    summary = collect.collect(config, contract, tmp_path / "bag", progress=False)
    assert (summary.failures, summary.discarded) == (2, 0)
    for episode in read_episodes(tmp_path / "bag"):
        assert (episode.kind, episode.outcome) == ("rollout", "failure")
        assert "place_matched" not in [event.name for event in episode.events]


def test_failed_demonstrations_are_discarded_and_counted(tmp_path, contract, monkeypatch):
    fail_first = lambda self, seed: dataclasses.replace(make(self, seed), outcome="failure" if seed == 0 else "success")  # noqa: E731
    make = collect.Collector.episode
    monkeypatch.setattr(collect.Collector, "episode", fail_first)
    summary = collect.collect(CollectConfig(episodes=1), contract, tmp_path / "bag", progress=False)
    assert (summary.episodes, summary.discarded, summary.attempts, summary.next_seed) == (1, 1, 2, 2)
    (episode,) = read_episodes(tmp_path / "bag")
    assert episode.seed == 1


class Standing:
    """A policy that does nothing."""

    def __init__(self, robot: SimulatedRobot) -> None:
        self.robot = robot

    def reset(self) -> None:
        self.command = self.robot.command

    def action(self) -> np.ndarray:
        return self.command


def test_any_agent_can_be_recorded(contract):
    robot = SimulatedRobot(contract, config=BrickSortingConfig(bricks=1, time_limit=1.0))
    episode = collect_episode(robot, Standing(robot), 3, episode_id="stand", kind="rollout", start_ns=5 * 10**9)
    robot.close()
    assert episode.outcome == "failure" and len(episode.commands) == 30 and episode.start_ns == 5 * 10**9
    np.testing.assert_array_equal(episode.commands, episode.clean_commands)


@pytest.mark.parametrize("task", ["backpack_packing", "box_closing"])
def test_every_task_is_collected_and_the_command_prints_what_came_of_it(tmp_path, capsys, task):
    arguments = ["--task", task, "--episodes", "1", "--seed", "1000", "--out", str(tmp_path / "bag"), "--json"]
    assert collect.main(arguments) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["task"], found["episodes"], found["successes"]) == (task, 1, 1)
    assert (found["success_rate"], found["score_mean"]) == (1.0, 10.0) and found["wall_s_per_episode"] > 0
    (episode,) = read_episodes(tmp_path / "bag")
    assert episode.task == task and [event.score for event in episode.events] == [2.5, 5.0, 7.5, 10.0]


def test_rate_and_score_count_the_discarded_demonstrations_too(tmp_path, contract, monkeypatch):
    make = collect.Collector.episode

    def fail_first(self, seed):
        changes = {"outcome": "failure", "score": 0.0} if seed == 0 else {"outcome": "success", "score": 2.0}
        return dataclasses.replace(make(self, seed), **changes)

    monkeypatch.setattr(collect.Collector, "episode", fail_first)
    summary = collect.collect(CollectConfig(episodes=1), contract, tmp_path / "bag", progress=False)
    assert (summary.success_rate, summary.score_mean) == (0.5, 1.0)
    assert summary.wall_s_per_episode == pytest.approx(summary.wall_s / 2)


def test_what_is_asked_of_bricks_decides_their_number():
    assert CollectConfig().task_config.brick_range == (1, 1), "one brick where nothing is said"
    assert CollectConfig(level="hard").task_config.brick_range == (4, 4)
    assert CollectConfig(level="hard", bricks=(2, 3)).task_config.brick_range == (2, 3)
    assert CollectConfig(bricks=(1, 1)).digest == CollectConfig().digest != CollectConfig(level="easy").digest


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"corruption_rate": 0.5}, "demonstrations are never corrupted"),
        ({"corruptions": ("explode",)}, "unknown corruptions"),
        ({"noise": (0.1, 0.0)}, "noise low <= high"),
        ({"task": "laundry"}, "unknown task 'laundry'"),
        ({"level": "brutal"}, "unknown level 'brutal' of brick_sorting"),
        ({"task": "box_closing", "bricks": (1, 2)}, "box_closing has no bricks"),
        ({"task": "box_closing", "corruptions": ("wrong_bin",)}, "unknown corruptions .*; known ones are .*cup_drop"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, text):
    with pytest.raises(SimulationError, match=text):
        CollectConfig(**changes)

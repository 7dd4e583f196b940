"""Counterfactual chunks: what the simulator restores, films and decides, and how advantages are ranked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import untrained

from rise_learning.data.loading import load_bags
from rise_learning.evaluation.agent import DeploymentConfig
from rise_learning.evaluation.counterfactuals import KINDS, CounterfactualSimulator, kinds_of, smooth_noise
from rise_learning.evaluation.own_chunks import own_branches, own_candidates, own_chunk_report
from rise_learning.evaluation.ranking import paired_rate, pooled_auc, ranking_report, wins
from rise_robot import collect
from rise_robot.core.contract import Contract, config_path
from rise_robot.sim.tasks import TaskSetting

TINY = Contract.load(config_path("contract_tiny.yaml"))
SIZE = (48, 64)
SEEDS = (9, 10, 14)


@pytest.fixture(scope="module")
def simulator():
    simulator = CounterfactualSimulator(TINY, TaskSetting.of("brick_sorting"), SIZE)
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def comparisons(simulator):
    branches = [simulator.branch(seed) for seed in SEEDS]
    return [simulator.compare(branch, branches[i - 1].chunk) for i, branch in enumerate(branches)]


def test_the_expert_goes_on_as_it_does_in_its_bag(
    simulator: CounterfactualSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Context, chunk and true frames are those that training makes of the same episode."""
    monkeypatch.setenv("RISE_CACHE", str(tmp_path / "cache"))
    branch = simulator.branch(SEEDS[0])
    collect.collect(collect.CollectConfig(episodes=1, seed=SEEDS[0]), TINY, tmp_path / "bag", progress=False)
    episode = load_bags([tmp_path / "bag"], SIZE, workers=1)
    g = np.array([branch.step // TINY.actions_per_frame])
    assert np.array_equal(episode.context(g, TINY.context_frames)[0], branch.context)
    assert np.allclose(episode.state[episode.step_of[g]][0], branch.state, atol=1e-6)
    assert np.allclose(episode.chunk(g)[0], branch.chunk, atol=1e-6)
    found = simulator.compare(branch, branch.chunk)
    index = episode.future_index(g, TINY.frames_per_chunk)[0]
    kept = np.flatnonzero(index < episode.last_frame[0])
    assert len(kept) > 5
    difference = np.abs(episode.frames[index[kept]].astype(int) - found.frames[0, kept])
    assert difference.mean() < 0.2  # commands are rounded to float32


def test_the_same_state_every_time(simulator: CounterfactualSimulator, comparisons: list) -> None:
    branch = simulator.branch(SEEDS[1])
    again = simulator.compare(branch, simulator.branch(SEEDS[0]).chunk)
    assert np.array_equal(again.frames, comparisons[1].frames)
    assert again.consequences == comparisons[1].consequences
    assert np.array_equal(again.chunks, comparisons[1].chunks)


def test_another_episodes_own_chunk_changes_nothing(simulator: CounterfactualSimulator) -> None:
    branch = simulator.branch(SEEDS[2])
    found = simulator.compare(branch, branch.chunk)
    other = KINDS.index("other_episode")
    assert not found.differs[0]
    assert not found.differs[other]
    assert np.array_equal(found.frames[other], found.frames[0])


def test_corrupted_chunks_lead_elsewhere(comparisons: list) -> None:
    """Every kind leaves the expert's commands, and the bricks of some states fare otherwise."""
    shape = (len(KINDS), TINY.chunk_size, TINY.action_dim)
    for found in comparisons:
        assert found.chunks.shape == shape
        assert found.frames.shape == (len(KINDS), TINY.frames_per_chunk, 3, *SIZE, 3)
        assert np.all(found.chunks >= TINY.joint_array("lower") - 1e-6)
        assert np.all(found.chunks <= TINY.joint_array("upper") + 1e-6)
        still = found.chunks[KINDS.index("standing_still")]
        assert np.ptp(still, axis=0).max() == 0.0
    assert sum(int(found.differs.sum()) for found in comparisons) > 0


@pytest.mark.parametrize("task", ["backpack_packing", "box_closing"])
def test_other_tasks_branch_and_go_wrong_in_their_own_ways(task: str) -> None:
    """The expert's chunk repeats what it did; hands beside their way, or open, do something else."""
    simulator = CounterfactualSimulator(TINY, TaskSetting.of(task), SIZE)
    branch = simulator.branch(0)
    found = simulator.compare(branch, branch.chunk)
    kinds = kinds_of(task)
    assert len(kinds) == len(KINDS) and found.frames.shape[0] == len(kinds)
    same = kinds.index("other_episode")
    assert np.array_equal(found.frames[same], found.frames[0]) and not found.differs[same]
    for mistake in ("beside", "let_go"):
        assert np.abs(found.chunks[kinds.index(mistake)] - found.chunks[0]).max() > 0.02
    simulator.close()


def test_noise_has_its_size_and_starts_small() -> None:
    noise = np.stack([smooth_noise(TINY, 0.07, np.random.default_rng(seed)) for seed in range(200)])
    assert noise[:, -1, :6].std() == pytest.approx(0.07, rel=0.1)
    assert noise[:, 0, :6].std() < 0.6 * 0.07
    assert noise[:, -1, 6].std() == pytest.approx(0.007, rel=0.2)


def test_ranking_by_hand() -> None:
    """Two states, three corrupted chunks each; only pairs that differ count."""
    true = np.array([[1.0, 0.5, 2.0, 1.0], [0.0, -1.0, -2.0, 5.0]])
    differs = np.array([[True, True, True], [True, False, False]])
    assert wins(true).tolist() == [[1.0, 0.0, 0.5], [1.0, 1.0, 0.0]]
    found = paired_rate(wins(true), differs)
    assert found["rate"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert (found["pairs"], found["states"]) == (4, 2)
    low, high = found["interval95"]
    assert low == pytest.approx(0.5)
    assert high == pytest.approx(1.0)
    assert pooled_auc(true, differs) == pytest.approx((2 + 0.5 + 1) / 8)
    many, twice = np.repeat(true, 20, 0), np.repeat(differs, 20, 0)
    by_episode = paired_rate(wins(many), twice, groups=np.repeat([7, 3], 20))
    assert by_episode["interval95"] == found["interval95"], "states of one episode say what one of them says"
    assert (by_episode["pairs"], by_episode["states"]) == (80, 40)


def test_report_of_a_perfect_and_a_reversed_imagination() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=(30, len(KINDS)))
    true[:, 0] = 3.0
    differs = rng.random((30, len(KINDS) - 1)) < 0.5
    same, reversed_ = ranking_report(true, true, differs), ranking_report(-true, true, differs)
    assert same["advantage_auc_imagined"] == same["advantage_auc_true_frames"] == 1.0
    assert same["correlation_within_state"] == pytest.approx(1.0)
    assert reversed_["advantage_auc_imagined"] == 0.0
    assert reversed_["correlation"] == pytest.approx(-1.0)
    assert same["pairs_that_differ"] == differs.sum()
    assert same["share_that_differs"] == pytest.approx(differs.mean())


def test_own_chunks_start_where_the_policy_is(simulator: CounterfactualSimulator) -> None:
    """An untrained policy gets nowhere: every brick that was on the belt is still there, whichever chunk is chosen."""
    trained = untrained(TINY)
    (branch,) = own_branches(simulator, trained, DeploymentConfig(), SEEDS[0], 1)
    again = own_branches(simulator, trained, DeploymentConfig(), SEEDS[0], 1)[0]
    assert np.array_equal(branch.context, again.context) and branch.step == again.step
    found = own_candidates(simulator, trained, DeploymentConfig(), branch, 3, 0.0)
    shifted = own_candidates(simulator, trained, DeploymentConfig(), branch, 3, 4.0)
    assert found.frames.shape == (3, 25, 3, *SIZE, 3) and (found.good == 0).all()
    assert np.array_equal(found.chunks[:, 0], shifted.chunks[:, 0]) and (found.chunks != shifted.chunks).any()


def test_scores_are_judged_within_a_state() -> None:
    good = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    perfect, useless = good + np.array([[0.0], [5.0], [9.0]]), np.zeros((3, 3))
    scores = {"perfect": perfect, "useless": useless}
    report = own_chunk_report(good, scores, np.arange(3))
    assert report["pairs_that_differ"] == 4 and report["good_any"] == pytest.approx(2 / 3)
    assert report["perfect"]["auc"] == 1.0 and report["perfect"]["best"] == pytest.approx(2 / 3)
    assert report["useless"]["auc"] == 0.5 and report["useless"]["gain"] == pytest.approx(0.0)
    alike = own_chunk_report(np.repeat(good, 9, 0), {"perfect": np.repeat(perfect, 9, 0)}, np.repeat(np.arange(3), 9))
    assert alike["perfect"]["gain_se"] == pytest.approx(report["perfect"]["gain_se"]), (
        "copies of a state say nothing new"
    )

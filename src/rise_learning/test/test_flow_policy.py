"""The policy learns, listens to its bin, and comes back from disk unchanged."""

import dataclasses

import numpy as np
import pytest
import torch
from synthetic import make_set, small_policy_config

from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.policy.action_basis import ActionBasis
from rise_learning.policy.checkpoint import load_policy, save_policy
from rise_learning.policy.flow_policy import PolicyInput
from rise_learning.policy.location import best_bin, policy_version
from rise_learning.rl.bins import AdvantageBins
from rise_learning.training.policy_training import OfflineSamples, new_policy, view_groups
from rise_robot.core.errors import ContractMismatchError

EPISODES = make_set()
SAMPLES = OfflineSamples.all_frames(EPISODES, np.full(len(EPISODES), 10))


def make_policy(**changes):
    return new_policy(small_policy_config(EPISODES.contract, **changes), SAMPLES, 0)


def observations(count=6, bins=10):
    inputs, chunks = SAMPLES.batch(np.random.default_rng(1), count, (-3, 0))
    inputs.bins = torch.full((count,), bins)
    return inputs, chunks


def noise(count, size=12, seed=0):
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def within_basis(policy, chunks, states):
    """(B, K, A) projected onto the policy's action basis."""
    at = policy.normalizer.normalize(states)
    coefficients = policy.basis.encode(policy.normalizer.normalize(chunks), at)
    return policy.normalizer.denormalize(policy.basis.decode(coefficients, at))


def test_two_policies_of_one_name_are_told_apart_by_their_weights(tmp_path):
    contract = make_set().contract
    versions = []
    for seed in (0, 1, 1):
        policy = make_policy()
        torch.manual_seed(seed)
        torch.nn.init.normal_(next(policy.parameters()))
        save_policy(tmp_path, policy, contract, None, "learned/self_improved@5")
        versions.append(policy_version(tmp_path))
    assert versions[0] != versions[1] == versions[2] == load_policy(tmp_path).version
    assert all(version.startswith("learned/self_improved@5-") for version in versions)


def test_brightness_that_is_chosen_for_a_trained_policy_is_used():
    policy = make_policy(state_noise=0.0, brightness=0.0).train()
    inputs, _ = observations(2)
    seen = policy.observe(inputs)
    torch.testing.assert_close(policy.observe(inputs), seen)
    policy.config = dataclasses.replace(policy.config, brightness=0.9)
    assert not torch.allclose(policy.observe(inputs), seen)


def test_overfitting_one_batch_makes_samples_equal_the_chunks_of_their_bin():
    policy = make_policy(bin_dropout=0.0, state_noise=0.0, brightness=0.0, width=96).train()
    inputs, chunks = observations(4)
    both = PolicyInput(
        inputs.images.repeat(2, 1, 1, 1, 1, 1), inputs.state.repeat(2, 1), inputs.instructions * 2,
        torch.tensor([10] * 4 + [1] * 4),
    )  # fmt: skip
    targets = torch.cat([chunks, chunks + 0.2])  # the same observation, another action for the bottom bin
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    for step in range(400):
        torch.manual_seed(step)
        loss = policy.loss(both, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampled = policy.eval().sample(both, noise(8), steps=5)
    spanned = within_basis(policy, targets, both.state)  # what the small basis of the tests can say at all
    wanted = float((spanned[4:] - spanned[:4]).mean())
    assert wanted > 0.1
    assert float((sampled[4:] - sampled[:4]).mean()) == pytest.approx(wanted, abs=0.01)


def test_a_sample_does_not_depend_on_its_batch():
    policy, (inputs, _) = make_policy().eval(), observations(6)
    together = policy.sample(inputs, noise(6))
    alone = policy.sample(
        PolicyInput(inputs.images[2:3], inputs.state[2:3], inputs.instructions[2:3], inputs.bins[2:3]), noise(6)[2:3]
    )
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=0)


def test_guidance_moves_away_from_the_unconditional_prediction():
    policy = make_policy().eval()
    inputs, _ = observations(4)
    plain, guided = (policy.sample(inputs, noise(4), guidance=g) for g in (1.0, 3.0))
    free = policy.sample(dataclasses.replace(inputs, bins=torch.zeros(4, dtype=torch.int64)), noise(4))
    assert not torch.allclose(plain, guided, atol=1e-4)
    assert not torch.allclose(plain, free, atol=1e-4)


def test_basis_keeps_what_it_spans_and_survives_encoding():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(3, 10, 4))
    states = rng.normal(size=(200, 4))
    chunks = np.einsum("nk,kta->nta", rng.normal(size=(200, 3)), directions) + states[:, None]
    basis = ActionBasis(10, 4, 3)
    basis.fit(chunks, states)
    given, at = torch.from_numpy(chunks).float(), torch.from_numpy(states).float()
    torch.testing.assert_close(basis.decode(basis.encode(given, at), at), given, atol=1e-4, rtol=0)


def test_saved_policy_comes_back_and_says_the_same(tmp_path):
    policy, (inputs, _) = make_policy().eval(), observations(3)
    save_policy(tmp_path, policy, EPISODES.contract, AdvantageBins(-0.1, 0.3), "run/policy@7")
    loaded = load_policy(tmp_path, EPISODES.contract)
    assert loaded.version.startswith("run/policy@7-") and loaded.bins == AdvantageBins(-0.1, 0.3)
    assert torch.equal(policy.sample(inputs, noise(3)), loaded.policy.sample(inputs, noise(3)))


def test_deployment_asks_for_the_best_bin_and_for_none_that_there_is_not(tmp_path):
    save_policy(tmp_path, make_policy(), EPISODES.contract, AdvantageBins(0.0, 1.0, experts_apart=True), "run/policy@7")
    trained = load_policy(tmp_path, EPISODES.contract)
    assert [trained.bin_asked(wanted) for wanted in (None, 0, 10)] == [9, 0, 10]
    assert best_bin(tmp_path) == 9
    with pytest.raises(ConfigError, match="bin 11 was asked for; run/policy@7-.* has 1 to 10, and 0 for none"):
        trained.bin_asked(11)


@pytest.mark.parametrize("file, content", [("model.safetensors", b"cut"), ("model.json", b"{"), ("model.json", b"{}")])
def test_a_broken_checkpoint_is_an_error_that_names_it(tmp_path, file, content):
    """As after a full disk; a node that could not name it would wait for ever."""
    save_policy(tmp_path, make_policy(), EPISODES.contract, None, "v")
    (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"the policy in {tmp_path} cannot be read"):
        load_policy(tmp_path)


def test_a_policy_of_another_contract_is_refused_by_name(tmp_path):
    save_policy(tmp_path, make_policy(), EPISODES.contract, None, "v")
    other = dataclasses.replace(EPISODES.contract, control_rate_hz=15.0)
    with pytest.raises(ContractMismatchError, match="control_rate_hz: 30.0 != 15.0"):
        load_policy(tmp_path, other)


def test_a_directory_without_policy_says_how_to_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="train one with train_policy"):
        load_policy(tmp_path)


def test_wrist_cameras_share_an_encoder():
    assert view_groups(("top", "wrist_left", "wrist_right")) == (0, 1, 1)
    assert view_groups(("wrist", "outside_1", "outside_2")) == (0, 1, 1)

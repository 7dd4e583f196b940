"""pi0.5 behind the interface of every policy: it trains, listens to its bin, and comes back from disk unchanged."""

import dataclasses

import numpy as np
import pytest
import torch
from published import openpi_tensors, write_tokenizer
from safetensors.torch import save_file
from synthetic import SIZE, make_set, small_contract
from test_label_path import JudgeAlike

from rise_learning.data.normalizer import Normalizer
from rise_learning.errors import ConfigError
from rise_learning.policy.checkpoint import load_policy, save_policy
from rise_learning.policy.config import Pi05PolicyConfig
from rise_learning.policy.interface import PolicyInput
from rise_learning.policy.pi05_policy import Pi05Policy, flow_times
from rise_learning.policy.prompt import build_state_prompt, discretize_state
from rise_learning.rl.bins import AdvantageBins
from rise_learning.rl.self_improvement import SelfImprovementLoop
from rise_learning.training.loop import LoopConfig, Trainer, step_rng
from rise_learning.training.policy_training import OfflineSamples, fit_config, new_policy
from rise_learning.training.run_directory import RunDirectory
from rise_learning.training_settings import SelfImprovement
from rise_worldmodel.errors import CheckpointError
from rise_worldmodel.pi05.config import tiny_pi05
from rise_worldmodel.pi05.tokenizer import ByteTokenizer, FileTokenizer

CONTRACT = small_contract()
EPISODES = make_set(CONTRACT)
SAMPLES = OfflineSamples.all_frames(EPISODES, np.full(len(EPISODES), 10))
BINS = AdvantageBins(-1.0, 1.0)
CONFIG = fit_config(Pi05PolicyConfig(architecture=tiny_pi05(), weights="random"), CONTRACT, SIZE)


def make_policy(**changes):
    return new_policy(dataclasses.replace(CONFIG, **changes), SAMPLES, 0)


def expressive(policy):
    """Every parameter random: at first the expert's gates are closed and nothing reaches the chunk."""
    torch.manual_seed(1)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return policy


def observations(count=4):
    return SAMPLES.batch(np.random.default_rng(1), count, CONFIG.history)


def noise(count):
    return torch.randn(count, CONFIG.basis_size, generator=torch.Generator().manual_seed(0))


def test_two_training_steps_a_resume_and_a_sample(tmp_path):
    def trainer(path, steps):
        policy = make_policy()
        config = LoopConfig(steps=steps, batch_size=4, warmup_steps=1, checkpoint_every=1, log_every=1)

        def loss(step):
            inputs, chunks = SAMPLES.batch(step_rng(0, step), 4, policy.config.history)
            return {"loss": policy.loss(inputs, chunks).mean()}

        return Trainer(policy, loss, config, RunDirectory(path), fingerprint={})

    straight = trainer(tmp_path / "straight", 2)
    straight.run("straight")
    trainer(tmp_path / "resumed", 1).run("first")
    resumed = trainer(tmp_path / "resumed", 2)
    assert resumed.step == 1
    policy = resumed.run("second")
    for name, tensor in straight.module.state_dict().items():
        torch.testing.assert_close(tensor, resumed.module.state_dict()[name], atol=0, rtol=0, msg=name)
    inputs, _ = observations()
    chunks = policy.sample(inputs, noise(4), steps=3)
    assert chunks.shape == (4, CONTRACT.chunk_size, CONTRACT.action_dim) and torch.isfinite(chunks).all()


def test_overfitting_makes_a_sample_equal_the_chunk_of_its_bin():
    policy = make_policy(bin_dropout=0.0, brightness=0.0, draws=4).train()
    inputs, chunks = observations(2)
    both = PolicyInput(
        inputs.images.repeat(2, 1, 1, 1, 1, 1),
        inputs.state.repeat(2, 1),
        inputs.instructions * 2,
        torch.tensor([10, 10, 1, 1]),
    )
    offset = 0.5 * policy.normalizer.std
    targets = torch.cat([chunks[:, :1].expand_as(chunks), chunks[:, :1].expand_as(chunks) + offset])
    optimizer = torch.optim.Adam(policy.parameters(), 4e-3)
    for step in range(150):
        torch.manual_seed(step)
        loss = policy.loss(both, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampled = policy.eval().sample(both, noise(2).repeat(2, 1), steps=5)
    wanted, found = targets[2:] - targets[:2], sampled[2:] - sampled[:2]
    assert float((found / policy.normalizer.std).mean()) == pytest.approx(
        float((wanted / policy.normalizer.std).mean()), abs=0.2
    )


def test_a_sample_does_not_depend_on_its_batch_and_guidance_moves_it():
    policy = expressive(make_policy()).eval()
    inputs, _ = observations()
    together = policy.sample(inputs, noise(4))
    alone = PolicyInput(inputs.images[2:3], inputs.state[2:3], inputs.instructions[2:3], inputs.bins[2:3])
    torch.testing.assert_close(together[2:3], policy.sample(alone, noise(4)[2:3]), atol=1e-4, rtol=0)
    assert not torch.allclose(together, policy.sample(inputs, noise(4), guidance=3.0), atol=1e-4)
    other = dataclasses.replace(inputs, bins=torch.zeros(4, dtype=torch.int64))
    assert not torch.allclose(together, policy.sample(other, noise(4)), atol=1e-4)


def test_an_imagined_label_reaches_prompt_and_expert(monkeypatch):
    policy = make_policy(bin_dropout=0.0)
    prompts, labels = [], []
    monkeypatch.setattr(
        "rise_learning.policy.pi05_policy.build_state_prompt",
        lambda text, label, state: prompts.append(build_state_prompt(text, label, state)) or prompts[-1],
    )
    velocity = policy.model.velocity
    policy.model.velocity = lambda prefix, noisy, time, bins: labels.append(bins) or velocity(prefix, noisy, time, bins)
    settings = SelfImprovement(loop=LoopConfig(batch_size=5), offline_share=0.0, starts_per_rollout=3)
    loop = SelfImprovementLoop(policy, JudgeAlike(), SAMPLES, BINS, settings, seed=0)
    loop.before_step(0)
    assert all(text.startswith("Advantage: 10. Task: sort the bricks, State: ") for text in prompts)
    assert all((bins == 10).all() for bins in labels)
    prompts.clear(), labels.clear()
    assert torch.isfinite(loop.loss(0)["loss"])
    assert len(prompts) == 5 and all(text.startswith("Advantage: 4. Task: ") for text in prompts)
    assert [bins.tolist() for bins in labels] == [[4] * 5]


def test_the_prompt_states_the_joints_and_without_bin_nothing_of_advantage():
    state = np.array([[-1.0, 0.0, 0.999, 3.0, -2.0]])
    assert discretize_state(state).tolist() == [[0, 128, 255, 255, 0]]
    text = build_state_prompt("sort_the\nbricks.", 0, discretize_state(state)[0])
    assert text == "Task: sort the bricks, State: 0 128 255 255 0;\nAction: "


@pytest.mark.parametrize("words", [(), ("Advantage", "Task", "sort", "the", "bricks", "State", "Action")])
def test_published_weights_are_loaded_and_everything_comes_back_from_disk(tmp_path, words):
    published = tmp_path / "published"
    published.mkdir()
    save_file(openpi_tensors(tiny_pi05()), published / "model.safetensors")
    if words:
        write_tokenizer(published, words)
    policy = make_policy(weights=str(published)).eval()
    assert isinstance(policy.tokenizer, FileTokenizer if words else ByteTokenizer)
    expected = openpi_tensors(tiny_pi05())["time_mlp_in.weight"]
    torch.testing.assert_close(policy.model.time_mlp_in.weight, expected)
    save_policy(tmp_path / "run", policy, CONTRACT, BINS, "run/policy@1")
    loaded = load_policy(tmp_path / "run", CONTRACT)
    assert isinstance(loaded.policy, Pi05Policy) and loaded.policy.config == policy.config
    inputs, _ = observations()
    torch.testing.assert_close(policy.sample(inputs, noise(4)), loaded.policy.sample(inputs, noise(4)), atol=0, rtol=0)


def test_quantiles_of_the_data_become_one():
    vectors = np.stack([np.linspace(0.0, 1.0, 101), np.full(101, 0.3)], axis=1)
    normalizer = Normalizer.fit_range(vectors, tail=0.1)
    torch.testing.assert_close(
        normalizer.normalize(torch.tensor([[0.1, 0.3], [0.9, 0.32]])), torch.tensor([[-1.0, 0.0], [1.0, 1.0]])
    )


def test_without_weights_or_with_too_many_joints_it_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="--training.policy.weights: name the local directory of pi0.5"):
        make_policy(weights="")
    with pytest.raises(ConfigError, match="lost does not exist"):
        make_policy(weights=str(tmp_path / "lost"))
    with pytest.raises(CheckpointError, match="expected one .safetensors file"):
        make_policy(weights=str(tmp_path))
    small = dataclasses.replace(tiny_pi05(), action_dim=3)
    with pytest.raises(ConfigError, match="14 joints, but pi0.5 knows 3"):
        fit_config(Pi05PolicyConfig(architecture=small), CONTRACT, SIZE)


def test_every_parameter_that_is_trained_has_a_gradient():
    policy = expressive(make_policy(bin_dropout=0.0)).requires_grad_(True).train()
    inputs, chunks = observations()
    policy.loss(inputs, chunks).mean().backward()
    trained = {name for name, p in policy.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in policy.named_parameters() if p.grad is not None}
    frozen = {name.split("layers.1.")[-1] for name, p in policy.named_parameters() if not p.requires_grad}
    assert {"mlp.up_proj.weight", "self_attn.q_proj.weight", "model.backbone.language_model.norm.weight"} < frozen


def test_times_favour_noise():
    times = flow_times(20000)
    assert float(times.min()) >= 0.001 and float(times.max()) <= 1.0
    assert float(times.mean()) == pytest.approx(0.6, abs=0.01)

"""Parameters as published, and memory counted tensor by tensor where it is known beforehand."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rise_learning import footprint
from rise_learning.errors import ConfigError
from rise_learning.presets import get_preset
from rise_learning.training.loop import LoopConfig
from rise_learning.training.memory import step_peak
from rise_robot.core.contract import Contract, config_path

PAPER, CONTRACT = get_preset("paper"), Contract.load(config_path("contract.yaml"))
LAYERS, BATCH, WIDTH = 10, 100, 50
ACTIVATION, GRADIENT = 4 * BATCH * WIDTH, 4 * WIDTH * WIDTH


def chain() -> tuple[nn.Sequential, Tensor]:
    """Linear layers without bias and their input, on the meta device."""
    with torch.device("meta"):
        return nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))), torch.empty(BATCH, WIDTH)


def test_parameters_of_the_paper_preset_are_the_published_ones() -> None:
    policy, value, dynamics = (
        build(PAPER, CONTRACT) for build in (footprint.policy, footprint.value, footprint.dynamics)
    )
    assert policy.parameters["paligemma"] == value.parameters["paligemma"] == 2_923_335_408
    assert policy.parameters["expert_without_adaptive_norms"] == pytest.approx(311e6, rel=2e-3)
    assert dynamics.parameters["ltx_transformer"] == dynamics.published["ltx_transformer"] == 1_923_385_472
    for model in (policy, value, dynamics):
        assert all(parameter.is_meta for parameter in model.module.parameters())
        assert model.loss(1).shape == (), "a training step that cannot be counted"


def test_peak_is_what_the_backward_pass_still_needs() -> None:
    model, inputs = chain()
    peak = step_peak(model, lambda: model(inputs).sum())
    # the inputs of all layers but the first, the last output's gradient, and what one layer's backward makes
    assert LAYERS * ACTIVATION <= peak <= (LAYERS + 3) * ACTIVATION + GRADIENT
    assert all(parameter.grad is None for parameter in model.parameters())


def test_recomputing_keeps_the_inputs_of_blocks_alone() -> None:
    model, inputs = chain()

    def wide(layer: nn.Module, hidden: Tensor) -> Tensor:
        return torch.relu(torch.relu(layer(hidden) * 2) * 3)

    def loss(recompute: bool) -> Tensor:
        hidden = inputs
        for layer in model:
            hidden = checkpoint(wide, layer, hidden, use_reentrant=False) if recompute else wide(layer, hidden)
        return hidden.sum()

    kept, recomputed = (step_peak(model, lambda flag=flag: loss(flag)) for flag in (False, True))
    assert kept > 2 * LAYERS * ACTIVATION
    assert recomputed < (LAYERS + 6) * ACTIVATION


def test_a_report_divides_batch_and_optimizer_among_processes() -> None:
    model, inputs = chain()
    loop = LoopConfig(batch_size=4 * BATCH, shard_optimizer=True)
    measured = footprint.Measured(model, {}, {}, lambda batch: model(inputs[:batch]).sum(), loop)
    report = footprint._report(measured, processes=4)
    assert report["batch_of_a_process"] == BATCH
    assert report["parameters"] == {"total": LAYERS * WIDTH**2, "trained": LAYERS * WIDTH**2}
    sizes = footprint.sizes(measured, 4)
    assert sizes["optimizer"] == 8 * 3 * WIDTH**2, "of ten tensors three"
    assert sizes["weights"] == 4 * LAYERS * WIDTH**2


def test_the_process_with_the_largest_tensor_keeps_more_than_its_share() -> None:
    """As ZeroRedundancyOptimizer deals them out: whole."""
    module = torch.nn.ParameterList([torch.empty(size, device="meta") for size in (10, 3, 3, 2, 2)])
    assert [footprint.fullest_part(module, processes) for processes in (1, 2, 3, 8)] == [20, 10, 10, 10]


def test_a_small_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="small enough to be run"):
        footprint.policy(get_preset("tiny"), CONTRACT)

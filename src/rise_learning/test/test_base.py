"""The shipped base starts a training only where it fits, and is what it says it is."""

import dataclasses
from pathlib import Path

import pytest
import torch

from rise_learning.errors import ConfigError
from rise_learning.model_choices import PatchModel
from rise_learning.training.base import SHIPPED, begin_with, find_base
from rise_learning.training.dynamics_models import new_model
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import ContractMismatchError

TINY = Contract.load(config_path("contract_tiny.yaml"))


def test_the_shipped_base_fits_the_tiny_contract_and_can_be_trained():
    model, inputs = find_base("auto", TINY, (48, 64))
    assert model.config.action_dim == TINY.action_dim == len(inputs.normalizer.mean)
    assert any(parameter.requires_grad for parameter in model.parameters())


def test_another_contract_or_frame_size_starts_from_scratch():
    other = dataclasses.replace(TINY, control_rate_hz=15.0)
    assert find_base("auto", other, (48, 64)) is None
    assert find_base("auto", TINY, (96, 128)) is None
    assert find_base("none", TINY, (48, 64)) is None


def test_a_base_asked_for_by_name_must_fit():
    with pytest.raises(ContractMismatchError, match="control_rate_hz"):
        find_base(str(SHIPPED / "dynamics"), dataclasses.replace(TINY, control_rate_hz=15.0), (48, 64))


def test_another_robot_begins_with_the_layers_and_keeps_its_own_cameras_codec_and_actions():
    droid, (theirs, _) = Contract.load(config_path("contract_droid.yaml")), find_base("auto", TINY, (48, 64))
    model = new_model(PatchModel(), droid, (48, 64))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copied = begin_with(SHIPPED / "dynamics", model)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert copied > 1e6 and all(name.startswith("transformer.") for name in changed)
    name = "transformer.transformer_blocks.3.attn1.to_q.weight"
    torch.testing.assert_close(model.state_dict()[name], theirs.state_dict()[name])
    for own in ("proj_in.weight", "proj_out.weight", "position_embed", "view_embed"):
        assert f"transformer.{own}" not in changed, own
    larger = new_model(PatchModel(layers=6), droid, (48, 64))
    with pytest.raises(ConfigError, match="of another size or architecture"):
        begin_with(SHIPPED / "dynamics", larger)
    with pytest.raises(ConfigError, match="does not exist"):
        begin_with(Path("nowhere"), model)


def test_the_base_stays_small():
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 10e6

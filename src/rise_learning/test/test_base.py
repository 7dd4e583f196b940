"""The shipped base starts a training only where it fits, and is what it says it is."""

import dataclasses

import pytest

from rise_learning.training.base import SHIPPED, find_base
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


def test_the_base_stays_small():
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 10e6

"""What presets promise of each other."""

from __future__ import annotations

import dataclasses

from rise_learning.model_choices import GeBaseModel, PatchModel
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.training.dynamics_models import small_config
from rise_robot.core.contract import Contract, config_path


def test_small_is_tiny_but_larger_and_longer() -> None:
    tiny, small = get_preset("tiny"), get_preset("small")
    assert PRESET_NAMES == ("tiny", "small", "paper", "released")
    assert small.image_size == tiny.image_size, "bags of contract_tiny serve both"
    for part in ("value", "dynamics", "policy", "self_improvement"):
        assert getattr(small, part).loop.steps > getattr(tiny, part).loop.steps, part
    assert isinstance(small.dynamics.model, PatchModel) and not isinstance(small.dynamics.model, GeBaseModel)
    contract = Contract.load(config_path("contract_tiny.yaml"))
    ours, theirs = (small_config(preset.dynamics.model, contract, (48, 64)) for preset in (small, tiny))
    assert ours.dim > theirs.dim and ours.codec.channels > theirs.codec.channels
    assert ours.maps_per_group > theirs.maps_per_group
    shape = ("heads", "head_dim", "layers", "codec", "maps_per_group")
    assert dataclasses.replace(ours, **{name: getattr(theirs, name) for name in shape}) == theirs


def test_every_preset_saves_under_its_own_name() -> None:
    assert [get_preset(name).name for name in PRESET_NAMES] == list(PRESET_NAMES)

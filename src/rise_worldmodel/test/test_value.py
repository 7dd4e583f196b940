"""The value model sees every view and the instruction, and learns a small difference."""

import pytest
import torch

from rise_worldmodel.config import ValueConfig, tiny_value
from rise_worldmodel.errors import ConfigError, ShapeError
from rise_worldmodel.text import hashed_words
from rise_worldmodel.value import ValueModel

SMALL = ValueConfig(3, 16, 24, (0, 1, 1), (True, False), channels=(8, 16), feature_dim=16, hidden=32, auxiliary_dim=4)


def test_shapes_of_value_and_auxiliary_head() -> None:
    output = ValueModel(tiny_value(auxiliary_dim=10))(torch.zeros(2, 3, 48, 64, 3, dtype=torch.uint8), ["a", "b c"])
    assert output.value.shape == (2,) and output.auxiliary.shape == (2, 10)
    bare = ValueConfig(1, 32, 32, (0,), (False,), text_vocabulary=0)
    output = ValueModel(bare)(torch.zeros(5, 1, 32, 32, 3, dtype=torch.uint8))
    assert output.value.shape == (5,) and output.auxiliary.shape == (5, 0)


@pytest.mark.parametrize("view", [0, 1, 2])
def test_every_view_matters_and_shared_encoders_keep_views_apart(view: int) -> None:
    model = ValueModel(SMALL).eval()
    frames = torch.randint(0, 256, (1, 3, 16, 24, 3), dtype=torch.uint8)
    changed = frames.clone()
    changed[:, view] = 255 - changed[:, view]
    swapped = frames[:, [0, 2, 1]]
    with torch.no_grad():
        value, other, swap = (model(f, ["sort"]).value for f in (frames, changed, swapped))
    assert not torch.allclose(value, other) and not torch.allclose(value, swap)


def test_the_instruction_matters_and_is_required() -> None:
    model = ValueModel(SMALL).eval()
    frames = torch.zeros(2, 3, 16, 24, 3, dtype=torch.uint8)
    with torch.no_grad():
        value = model(frames, ["sort the bricks", "close the box"]).value
    assert value[0] != value[1]
    with pytest.raises(ShapeError, match="expected 2 instructions"):
        model(frames, ["sort the bricks"])


def test_hashed_words_are_stable_and_padded() -> None:
    tokens = hashed_words(["Sort the bricks", "sort"], 512)
    assert tokens.shape == (2, 5) and (tokens[1, 1:] == 0).all() and (tokens[0] > 0).all()
    assert tokens[0, 0] == tokens[1, 0]
    assert torch.equal(tokens, hashed_words(["sort THE bricks", "sort"], 512))


def test_a_single_small_square_is_told_apart() -> None:
    frames = torch.full((16, 3, 16, 24, 3), 90, dtype=torch.uint8)
    target = torch.arange(16) % 2
    for row in range(16):
        frames[row, 0, 4 + row // 4, 5 + row // 2, :] = 90 + 120 * (target[row] == 1)
    model = ValueModel(SMALL)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(120):
        loss = ((model(frames, ["sort"] * 16).value - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


def test_views_without_encoder_are_refused() -> None:
    with pytest.raises(ConfigError, match="encoder_of_view"):
        ValueConfig(3, 16, 24, (0, 1), (True, False))
    with pytest.raises(ConfigError, match="every encoder"):
        ValueConfig(2, 16, 24, (0, 2), (True, False))

"""The buffer of imagined samples: the newest stay, and a restored one gives the same batches."""

from __future__ import annotations

import numpy as np
import torch

from rise_learning.rl.buffer import OnlineBuffer
from rise_learning.rl.imagination import OnlineSamples


def samples(*numbers: int) -> OnlineSamples:
    """One for each number, which is in its state, pixels and chunk."""
    values, count = torch.tensor(numbers, dtype=torch.float32), len(numbers)
    rows = np.zeros(count)
    return OnlineSamples(
        values.to(torch.uint8)[:, None, None, None, None, None].repeat(1, 2, 1, 2, 2, 3), values[:, None],
        ["right" if number % 2 else "left" for number in numbers], values[:, None, None].repeat(1, 4, 1),
        rows, rows, rows, rows,
    )  # fmt: skip


def held(buffer: OnlineBuffer) -> set[tuple[float, ...]]:
    """What of every sample a large batch holds: state, pixel, chunk, bin, instruction."""
    inputs, chunks = buffer.batch(np.random.default_rng(0), 200)
    columns = (inputs.state[:, 0], inputs.images[:, 0, 0, 0, 0, 0], chunks[:, 0, 0], inputs.bins)
    texts = (float(text == "right") for text in inputs.instructions)
    return {(*(float(value) for value in row), text) for *row, text in zip(*columns, texts, strict=True)}


def expected(*numbers: int) -> set[tuple[float, ...]]:
    return {(number, number, number, number % 10, number % 2) for number in numbers}


def filled(*additions: tuple[int, ...]) -> OnlineBuffer:
    buffer = OnlineBuffer(5, ["left", "right"])
    for numbers in additions:
        buffer.add(samples(*numbers), np.array(numbers, dtype=np.int64) % 10)
    return buffer


def test_the_newest_samples_stay_each_with_what_belongs_to_it() -> None:
    assert held(filled((1, 2, 3))) == expected(1, 2, 3)
    assert held(filled((1, 2, 3), (4, 5, 6, 7))) == expected(3, 4, 5, 6, 7)
    assert held(filled((1, 2), tuple(range(10, 22)))) == expected(17, 18, 19, 20, 21), "more at once than fit"
    assert len(filled((1, 2, 3), (), (4, 5, 6))) == 5


def test_a_restored_buffer_goes_on_where_the_other_was() -> None:
    first, second = filled((1, 2, 3), (4, 5, 6, 7)), OnlineBuffer(5, ["left", "right"])
    second.restore({**first.state(), "statistics": torch.zeros(3)})
    for buffer in (first, second):
        buffer.add(samples(8), np.array([8]))
    ours, theirs = (buffer.batch(np.random.default_rng(1), 20) for buffer in (first, second))
    assert torch.equal(ours[0].images, theirs[0].images) and torch.equal(ours[1], theirs[1])
    assert held(second) == expected(4, 5, 6, 7, 8)


def test_what_was_saved_before_the_ring_is_restored_with_its_oldest_row_first() -> None:
    before = filled((1, 2, 3, 4, 5)).state()
    del before["added"]
    restored = OnlineBuffer(5, ["left", "right"])
    restored.restore(before)
    restored.add(samples(6, 7), np.array([6, 7]))
    assert held(restored) == expected(3, 4, 5, 6, 7)


def test_an_empty_buffer_has_no_state() -> None:
    empty = OnlineBuffer(5, ["left"])
    assert not empty.state()
    empty.restore({})
    assert not len(empty)

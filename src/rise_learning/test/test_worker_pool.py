"""Workers begin anew: what the parent holds of torch and OpenGL is not theirs to clean up."""

from __future__ import annotations

import torch

from rise_learning.worker_pool import worker_pool

HELD: list[str] = []
"""Stands for what a parent has that does not survive a fork."""


def held() -> tuple[list[str], int]:
    return HELD, torch.get_num_threads()


def test_workers_hold_nothing_of_their_parents() -> None:
    HELD.append("an OpenGL context")
    try:
        with worker_pool(1) as pool:
            assert pool.submit(held).result() == ([], 1)
    finally:
        HELD.clear()

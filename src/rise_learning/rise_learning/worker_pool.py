"""Processes that share work, each with an interpreter of its own and one thread of torch."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tqdm import tqdm

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Spawned, not forked: neither torch's threads nor OpenGL survive a fork, and a child that collects what the parent
    left of them crashes."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin)


def shared_map(
    work: Callable[[ItemT], ResultT], items: list[ItemT], *, workers: int, desc: str, unit: str
) -> Iterator[ResultT]:
    """`map(work, items)` with a progress bar, in order, over `workers` processes; in this process where it is one."""
    if workers <= 1:
        yield from tqdm(map(work, items), total=len(items), desc=desc, unit=unit)
        return
    with worker_pool(workers) as pool:
        yield from tqdm(pool.map(work, items), total=len(items), desc=desc, unit=unit)


def _begin() -> None:
    from rise_learning.cli import use_threads  # torch, which a process that only asks for a pool may not need

    use_threads(1)

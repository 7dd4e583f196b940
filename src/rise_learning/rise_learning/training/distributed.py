"""One training over several processes: torchrun starts them, every one draws its own part of each batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

_MICRO: ContextVar[tuple[int, int]] = ContextVar("micro_batch", default=(0, 1))


@dataclass(frozen=True)
class World:
    """This process among those of the training; `local_rank` counts on this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0


def world() -> World:
    """As torchrun says in the environment; alone without it."""
    return World(*(int(os.environ.get(name, default)) for name, default in _VARIABLES.items()))


_VARIABLES = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0}


def is_main() -> bool:
    """Whether this process writes logs, checkpoints and results."""
    return world().rank == 0


def start(device: str) -> torch.device:
    """Join the other processes and return the device of this one.

    Args:
        device: `cpu`, `cuda` (the GPU of this local rank), or `auto` for CUDA where there is any.
    """
    own = world()
    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if cuda:
        torch.cuda.set_device(own.local_rank)
    if own.size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo", rank=own.rank, world_size=own.size)
    return torch.device("cuda", own.local_rank) if cuda else torch.device("cpu")


def leave() -> None:
    """Part from the other processes when all of them are done, so that none takes away what another still uses.

    To be called when no trainer is left: a module that averages gradients holds on to the group.
    """
    global _CPU_GROUP
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
        _CPU_GROUP = None


@contextmanager
def micro_batch(number: int, count: int) -> Iterator[None]:
    """Within: micro-batch `number` of the `count` that make one optimizer step."""
    token = _MICRO.set((number, count))
    try:
        yield
    finally:
        _MICRO.reset(token)


def draw_number(step: int) -> int:
    """What random numbers and batches depend on beside the seed: unique over steps, micro-batches and processes.

    It is `step` itself for one process without accumulation.
    """
    return step * _MICRO.get()[1] * world().size + draw_part()


def draw_part() -> int:
    """The part of an optimizer step's batch that is being drawn: unique over micro-batches and processes, from 0 on."""
    return _MICRO.get()[0] * world().size + world().rank


def mean(values: dict[str, float]) -> dict[str, float]:
    """Mean over the processes; all of them call it with the same names."""
    if not dist.is_initialized():
        return values
    device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
    total = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return dict(zip(values, (total / dist.get_world_size()).tolist(), strict=True))


def gather(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """At the first process the tensors of every one, by rank, on the CPU; elsewhere nothing.

    They travel by gloo whatever the rest uses, because NCCL would need as much memory of the first GPU; and as copies,
    because a view is sent with all that it is a view of.
    """
    if not dist.is_initialized():
        return [tensors]
    everything: list[dict[str, Tensor]] | None = [{}] * dist.get_world_size() if is_main() else None
    own = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    dist.gather_object(own, everything, group=_by_cpu())
    return everything or []


def _by_cpu() -> dist.ProcessGroup | None:
    """All processes over gloo; None where they have nothing else. All of them call it."""
    global _CPU_GROUP
    if dist.get_backend() == "gloo":
        return None
    if _CPU_GROUP is None:
        _CPU_GROUP = dist.new_group(backend="gloo")
    return _CPU_GROUP


_CPU_GROUP: dist.ProcessGroup | None = None


@contextmanager
def main_first() -> Iterator[None]:
    """The first process runs the body before the others, so that they find what it wrote."""
    if dist.is_initialized() and not is_main():
        dist.barrier()
    yield
    if dist.is_initialized() and is_main():
        dist.barrier()

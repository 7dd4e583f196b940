"""Peak memory of a computation on the meta device: every tensor counts while it lives, nothing is computed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """Bytes of the tensors that operations made and that are still referenced; `peak` is the most at any time."""

    def __init__(self, free_of_charge: Iterable[Tensor]) -> None:
        """`free_of_charge`: tensors counted elsewhere, e.g. parameters; their views cost nothing either."""
        super().__init__()
        self.now = self.peak = 0
        self._alive: weakref.WeakSet[Any] = weakref.WeakSet(tensor.untyped_storage() for tensor in free_of_charge)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: Any) -> None:
        if storage in self._alive:
            return
        self._alive.add(storage)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.now -= size


def step_peak(module: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes at the peak of one forward and backward pass beside parameters and their gradients."""
    handles = [p.register_post_accumulate_grad_hook(_drop) for p in module.parameters() if p.requires_grad]
    try:
        with PeakMemory([*module.parameters(), *module.buffers()]) as memory:
            loss().backward()
    finally:
        for handle in handles:
            handle.remove()
    return memory.peak


def _drop(parameter: Tensor) -> None:
    parameter.grad = None


def count(module: nn.Module, *, trained: bool = False) -> int:
    """Parameters of `module`, or those that are trained."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad or not trained)


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """A module that has shapes and no memory, in bfloat16 as its activations are."""
    with torch.device("meta"):
        return build().to(torch.bfloat16).train()

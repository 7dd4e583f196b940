"""Parameters shared out among processes (FSDP): every one keeps its part of weights, gradients and optimizer state."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rise_learning.training import distributed


def shard(root: nn.Module, device: torch.device) -> None:
    """Share out `root`: each repeated block on its own, gathered when it is called, and the rest at once.

    Names of parameters stay; `root` must be called for its weights to be whole.
    """
    mesh = init_device_mesh(device.type, (distributed.world().size,))
    for block in list(_blocks(root)):
        _shard(block, mesh)
    _shard(root, mesh)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Members of the outermost lists of modules."""
    for child in module.children():
        yield from child if isinstance(child, nn.ModuleList) else _blocks(child)


def _shard(module: nn.Module, mesh: DeviceMesh) -> None:
    if any(True for _ in module.parameters()):
        empty = {parameter for parameter in module.parameters() if not parameter.numel()}  # nothing to share out
        fully_shard(module, mesh=mesh, reshard_after_forward=True, ignored_params=empty)


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """`tensors` with every shared-out one put together; all processes call it."""
    return {name: _whole(tensor) for name, tensor in tensors.items()}


def parts_of(tensors: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of whole `tensors` the part that this process keeps, as those of the same names in `like` are shared out."""
    return {name: _part(tensor, like[name]) if name in like else tensor for name, tensor in tensors.items()}


def local(tensors: list[Tensor]) -> list[Tensor]:
    """What this process keeps of each, to be changed in place."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]


def optimizer_parts(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """`parts_of` for the flat state `index.name` of an optimizer: what has its parameter's shape is a part."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    found = {}
    for key, tensor in tensors.items():
        parameter = parameters[int(key.split(".", 1)[0])]
        found[key] = _part(tensor, parameter) if tensor.shape == parameter.shape else tensor
    return found


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _part(tensor: Tensor, like: Tensor) -> Tensor:
    if not isinstance(like, DTensor):
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)

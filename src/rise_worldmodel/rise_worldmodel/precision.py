"""Arithmetic in bfloat16 where the processor has instructions for it."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on `device`; on others it would only lose digits."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def half_precision(device: torch.device, wanted: bool = True) -> torch.autocast:
    """Context: matrix products in bfloat16 where `wanted` and fast; parameters keep their type."""
    usable = wanted and has_bfloat16(device)
    return torch.autocast(device.type if usable else "cpu", torch.bfloat16, enabled=usable)

"""The one training loop: seeded by step, resumable after kill -9, with progress, metrics and an EMA of the weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from rise_learning.errors import CheckpointError, ConfigError
from rise_learning.training import distributed
from rise_learning.training.checkpoint import flatten_optimizer, load_latest, restore_optimizer, save_checkpoint
from rise_learning.training.ema import Ema
from rise_learning.training.fingerprint import differences
from rise_learning.training.run_directory import RunDirectory
from rise_learning.training.sharding import optimizer_parts, parts_of, shard, whole
from rise_learning.training.thread_watch import ThreadWatch
from rise_worldmodel.precision import half_precision


@dataclass(frozen=True)
class LoopConfig:
    """Optimisation of one training."""

    steps: int = 1000
    """Optimizer steps in all, those before a resume included."""
    batch_size: int = 64
    """Samples of one optimizer step, over all processes and micro-batches."""
    accumulate: int = 1
    """Micro-batches of one optimizer step."""
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    """Linear warm-up of the learning rate; half of the steps at most."""
    min_lr_ratio: float = 0.1
    """Cosine decay ends at this share of the learning rate; 1 keeps it constant."""
    weight_decay: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    checkpoint_every: int = 500
    log_every: int = 20
    seed: int = 0
    device: str = "cpu"
    """Where to train: cpu, cuda, or auto for CUDA where there is any. The models of `tiny` train on the CPU."""
    bfloat16: bool = False
    """The whole loss in bfloat16 where this processor has instructions for it; parameters stay float32."""
    shard_optimizer: bool = False
    """Every process keeps the optimizer state of its share of the parameters only (ZeRO stage 1)."""
    shard_parameters: bool = False
    """Every process keeps only its share of parameters, gradients, averages and optimizer state (FSDP); blocks are
    gathered when they are computed. For train_*: self_improve samples with whole weights."""

    @property
    def local_batch_size(self) -> int:
        """Samples that this process draws at once. Raises ConfigError where the batch cannot be divided."""
        parts = distributed.world().size * self.accumulate
        if self.batch_size % parts:
            raise ConfigError(
                f"a batch of {self.batch_size} cannot be divided among {distributed.world().size} processes with "
                f"{self.accumulate} micro-batches each; change --training.loop.batch-size or .accumulate"
            )
        return self.batch_size // parts


def step_rng(seed: int, step: int) -> np.random.Generator:
    """Random numbers that depend on (seed, step) alone: a resumed run draws what an unbroken one would have drawn.

    Micro-batches and processes of a step draw different ones.
    """
    return np.random.default_rng([seed, distributed.draw_number(step)])


def step_seed(seed: int, step: int) -> int:
    """The same as a seed for torch."""
    return int(step_rng(seed, step).integers(2**62))


def learning_rate_at(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then cosine to `min_lr_ratio` (Table X)."""
    warmup = min(config.warmup_steps, config.steps // 2)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, config.steps - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return config.learning_rate * (config.min_lr_ratio + (1 - config.min_lr_ratio) * cosine)


class _Step(nn.Module):
    """The module and its loss as one call, which DistributedDataParallel can wrap."""

    def __init__(self, module: nn.Module, loss: Callable[[int], dict[str, Tensor]]) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, step: int) -> dict[str, Tensor]:
        return self.loss(step)


class Trainer:
    """Runs `loss_fn(step) -> {"loss": ..., other scalars}` on `module` for `config.steps` steps.

    Torch's global generator is seeded from (seed, step) before each step, and numpy's draws must come from `step_rng`,
    so that no random state needs saving. Under torchrun every process computes its share of each batch and gradients
    are averaged; the first one logs and writes checkpoints, from which all resume.

    Args:
        module: the trained module; resumed in place.
        loss_fn: loss of one step; reads `module`.
        config: optimisation.
        run: where config, metrics and checkpoints go.
        fingerprint: what a checkpoint must share with this run to be resumed (training/fingerprint.py).
        before_step: called with the step before its loss, e.g. to imagine new rollouts with `ema`.
        extra_state: tensors beside module, EMA and optimizer that resuming needs; a callable that returns them.
    """

    def __init__(
        self,
        module: nn.Module,
        loss_fn: Callable[[int], dict[str, Tensor]],
        config: LoopConfig,
        run: RunDirectory,
        *,
        fingerprint: dict[str, Any],
        before_step: Callable[[int], None] | None = None,
        extra_state: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        self.module, self.loss_fn, self.config, self.run_directory = module, loss_fn, config, run
        self.fingerprint, self.before_step, self.extra_state = fingerprint, before_step, extra_state
        assert config.local_batch_size > 0
        self.device = distributed.start(config.device)
        if config.shard_parameters and before_step is not None:
            raise ConfigError(
                "--training.loop.shard-parameters is for train_*; self_improve samples with whole weights"
            )
        self.sharded = config.shard_parameters and distributed.world().size > 1
        self._plain = copy.deepcopy(module).cpu() if self.sharded else None
        module.to(self.device)
        self.ema = Ema(module, config.ema_decay)
        self._call: nn.Module = _Step(module, self._loss)
        if self.sharded:
            shard(self._call, self.device)
            shard(self.ema.module, self.device)
        elif distributed.world().size > 1:
            self._call = DistributedDataParallel(self._call, forward_sync_buffers=False, gradient_as_bucket_view=True)
        self.optimizer = _optimizer(module, config)
        self.step = 0
        self.resumed_extra: dict[str, Tensor] = {}
        run.claim()
        try:
            self._resume()
        except CheckpointError:
            run.close()
            raise

    def _resume(self) -> None:
        found = load_latest(self.run_directory.checkpoints)
        if found is None:
            self.run_directory.forget_metrics_after(0)
            return
        sections, meta = found
        if meta["fingerprint"] != self.fingerprint:
            raise CheckpointError(
                f"{self.run_directory.checkpoints} is of another training: "
                f"{'; '.join(differences(meta['fingerprint'], self.fingerprint))}. "
                "Choose another --out, or delete the directory to start again"
            )
        processes = meta.get("processes", 1)
        if processes != distributed.world().size:
            raise CheckpointError(
                f"{self.run_directory.checkpoints} was written by {processes} processes, this run has "
                f"{distributed.world().size}; resume with as many, because each draws its own samples"
            )
        for module, section in ((self.module, "model"), (self.ema.module, "ema")):
            module.load_state_dict(parts_of(sections[section], module.state_dict()))
        restore_optimizer(self.optimizer, optimizer_parts(self.optimizer, sections["optimizer"]))
        self.resumed_extra = sections.get(_extra(distributed.world().rank), {})
        self.step = int(meta["step"])
        self.run_directory.forget_metrics_after(self.step)

    def save(self) -> None:
        """Write a checkpoint; every process takes part."""
        if isinstance(self.optimizer, ZeroRedundancyOptimizer):
            self.optimizer.consolidate_state_dict(to=0)
        extra = [] if self.extra_state is None else distributed.gather(self.extra_state())
        if not distributed.is_main() and not self.sharded:
            return
        sections = {
            "model": whole(self.module.state_dict()),
            "ema": whole(self.ema.module.state_dict()),
            "optimizer": whole(flatten_optimizer(self.optimizer)),
        }
        if not distributed.is_main():
            return
        sections |= {_extra(rank): tensors for rank, tensors in enumerate(extra)}
        meta = {"fingerprint": self.fingerprint, "processes": distributed.world().size}
        save_checkpoint(self.run_directory.checkpoints, self.step, sections, meta)

    def run(self, description: str) -> nn.Module:
        """Train to the last step with a progress bar; returns the EMA module, whole."""
        config, started, first, threads = self.config, time.monotonic(), self.step, ThreadWatch()
        hidden = not distributed.is_main()
        bar = tqdm(
            total=config.steps, initial=self.step, desc=description, unit="step", mininterval=2.0, disable=hidden
        )
        self.run_directory.claim()
        with bar, closing(self.run_directory):
            while self.step < config.steps:
                metrics = self._train_step()
                self.step += 1
                bar.update()
                threads.look()
                if self.step % config.log_every == 0 or self.step == config.steps:
                    values = distributed.mean({name: float(value.detach()) for name, value in metrics.items()})
                    values["steps_per_second"] = (self.step - first) / (time.monotonic() - started)
                    self.run_directory.log(self.step, values)
                    bar.set_postfix(loss=f"{values['loss']:.4f}")
                if self.step % config.checkpoint_every == 0 or self.step == config.steps:
                    self.save()
        if self._plain is None:
            return self.ema.module
        self._plain.load_state_dict(whole(self.ema.module.state_dict()))
        return self._plain.to(self.device).eval()

    def _train_step(self) -> dict[str, Tensor]:
        if self.before_step is not None:
            self.before_step(self.step)
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        count = self.config.accumulate
        parts = [self._backward(number, count) for number in range(count)]
        metrics = {name: torch.stack([part[name] for part in parts]).mean(0) for name in parts[0]}
        norm = nn.utils.clip_grad_norm_(trained_parameters(self.module), self.config.clip_norm)
        rate = learning_rate_at(self.step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.ema.update(self.module, self.step)
        return {**metrics, **whole({"gradient_norm": norm}), "learning_rate": torch.tensor(rate)}

    def _backward(self, number: int, count: int) -> dict[str, Tensor]:
        """Gradients of one micro-batch, averaged over the processes with those of the last one."""
        with distributed.micro_batch(number, count), self._synchronised(number == count - 1):
            torch.manual_seed(step_seed(self.config.seed, self.step))
            metrics = self._call(self.step)
            loss = metrics["loss"]
            if not torch.isfinite(loss):
                raise FloatingPointError(f"loss is {loss.item()} at step {self.step}; lower --loop.learning-rate")
            (loss / count).backward()
        return {name: value.detach() for name, value in metrics.items()}

    def _loss(self, step: int) -> dict[str, Tensor]:
        with half_precision(self.device, self.config.bfloat16):
            return self.loss_fn(step)

    def _synchronised(self, wanted: bool) -> AbstractContextManager[None]:
        if isinstance(self._call, FSDPModule):
            self._call.set_requires_gradient_sync(wanted)
        if wanted or not isinstance(self._call, DistributedDataParallel):
            return nullcontext()
        return self._call.no_sync()


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Those with a gradient and at least one number."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.numel()]


def _optimizer(module: nn.Module, config: LoopConfig) -> torch.optim.Optimizer:
    parameters = trained_parameters(module)
    options = {"lr": config.learning_rate, "betas": config.betas, "weight_decay": config.weight_decay, "fused": True}
    if config.shard_optimizer and not config.shard_parameters and distributed.world().size > 1:
        return ZeroRedundancyOptimizer(parameters, torch.optim.AdamW, **options)
    return torch.optim.AdamW(parameters, **options)


def _extra(rank: int) -> str:
    """Section of a checkpoint that holds the extra state of one process."""
    return "extra" if rank == 0 else f"extra_{rank}"

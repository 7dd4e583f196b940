"""Rows of tables like V and VI (dynamics) and of the value half of Table IV: each is a training with some flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rise_learning.errors import ConfigError

DYNAMICS_ROWS: dict[str, tuple[str, ...]] = {
    "rise": (),
    "no_task_centric": ("--no-task-centric",),
    "no_pretrain": ("--no-pretrain",),
    "no_actions": ("--no-actions",),
    "no_control_maps": ("--no-control-maps",),
    "genie_envisioner": ("--architecture", "genie_envisioner"),
    "cosmos": ("--architecture", "cosmos"),
}
"""Name -> flags of train_dynamics."""
VALUE_ROWS: dict[str, tuple[str, ...]] = {
    "value": (),
    "value_no_progress": ("--no-progress",),
    "value_no_td": ("--no-td",),
}
"""Name -> flags of train_value."""
DYNAMICS_COLUMNS = {
    "psnr": "PSNR", "psnr_moving": "moving", "ssim": "SSIM", "lpips": "LPIPS", "fvd": "FVD", "epe": "EPE",
    "gain_over_copy_last_db": "over copy", "gain_over_shuffled_actions_db": "over others", "codec_psnr": "codec",
}  # fmt: skip
"""Figures of `held_out.video_figures` and what they are called: dB, and pixels a frame; both gains are of PSNR."""
VALUE_COLUMNS = {
    "auc_success_vs_failure": "AUC", "episodes_success": "successes", "episodes_failure": "failures",
}  # fmt: skip


@dataclass(frozen=True)
class RowPlan:
    """One row: what is typed to train it, in this order; the last command's --out is `out`.

    Attributes:
        commands: (command, flags), e.g. ("train_dynamics", ("--bags", ...)).
    """

    name: str
    out: Path
    commands: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class TableData:
    """What rows are trained on.

    Attributes:
        bags: of the task. pretrain_bags: of many tasks; none for no pre-training at all.
        steps, pretrain_steps, value_steps: instead of the preset's; 0 keeps those.
    """

    bags: tuple[Path, ...]
    pretrain_bags: tuple[Path, ...] = ()
    preset: str = "tiny"
    seed: int = 0
    threads: int = 2
    steps: int = 0
    pretrain_steps: int = 0
    value_steps: int = 0


def chosen_rows(names: Sequence[str], *, pretrained: bool) -> tuple[str, ...]:
    """`names`, or all rows that say something, in the order of the tables.

    Raises:
        ConfigError: an unknown row, or one without its counterpart.
    """
    known = (*DYNAMICS_ROWS, *VALUE_ROWS)
    if unknown := sorted(set(names) - set(known)):
        raise ConfigError(f"no row {', '.join(unknown)}; there are: {', '.join(known)}")
    if "no_pretrain" in names and not pretrained:
        raise ConfigError("row no_pretrain needs --pretrain-bags: without them no row is pre-trained")
    rows = names or [name for name in known if pretrained or name != "no_pretrain"]
    return tuple(name for name in known if name in rows)


def plan_row(name: str, data: TableData, out: Path) -> RowPlan:
    """Commands of a row: pre-training with the row's own flags where there is any, then training on the task.

    The base that ships with the project is in no row: it would help ours alone.
    """
    root = out / name
    if name in VALUE_ROWS:
        flags = (*_common(data, data.bags, root, data.value_steps), *VALUE_ROWS[name])
        return RowPlan(name, root, (("train_value", flags),))
    own = DYNAMICS_ROWS[name]
    if not data.pretrain_bags or name == "no_pretrain":
        base = () if name == "no_pretrain" else ("--base", "none")
        flags = (*_common(data, data.bags, root, data.steps), *own, *base)
        return RowPlan(name, root, (("train_dynamics", flags),))
    before = root / "pretraining"
    first = (*_common(data, data.pretrain_bags, before, data.pretrain_steps), *own, "--base", "none")
    then = (*_common(data, data.bags, root, data.steps), *own, "--base", str(before / "dynamics"))
    return RowPlan(name, root, (("train_dynamics", first), ("train_dynamics", then)))


def _common(data: TableData, bags: tuple[Path, ...], out: Path, steps: int) -> tuple[str, ...]:
    flags = ("--bags", *map(str, bags), "--out", str(out), "--preset", data.preset)
    flags = (*flags, "--seed", str(data.seed), "--threads", str(data.threads))
    return (*flags, "--training.loop.steps", str(steps)) if steps else flags


def as_table(found: dict[str, dict[str, Any]], columns: Mapping[str, str]) -> str:
    """One line per row, for people; a figure with `interval95_` of its name shows it."""
    keys = [key for key in columns if any(key in row for row in found.values())]
    lines = [["", *(columns[key] for key in keys)]]
    lines += [[name, *(_cell(row, key) for key in keys)] for name, row in found.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(f"{line[0]:{widths[0]}}" + "".join(_right(line, widths)) for line in lines)


def _cell(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return "-"
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    low, high = row.get(f"interval95_{key}", (None, None))
    return shown if low is None else f"{shown} ({low:.2f}-{high:.2f})"


def _right(line: list[str], widths: list[int]) -> list[str]:
    return [f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]

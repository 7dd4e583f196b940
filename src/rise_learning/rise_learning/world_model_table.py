"""Tables like V and VI (dynamics, its ablations, its peers) and the value half of Table IV, on one set of bags.

    python -m rise_learning.world_model_table --bags bags/train --held-out bags/held_out --preset tiny --out runs/table
    python -m rise_learning.world_model_table --bags bags/bricks --pretrain-bags bags/boxes bags/backpacks bags/random \
        --held-out bags/held_out --out runs/table --rows rise no_pretrain no_task_centric cosmos

Every row is a training whose commands are printed, with its own directory below OUT; an interrupted row continues, a
finished one is kept. All rows are measured on the same held-out chunks. OUT/table.json holds everything.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rise_learning import cli, train_dynamics, train_value
from rise_learning.data.episode_set import EpisodeSet
from rise_learning.data.loading import load_bags, require_apart
from rise_learning.errors import ConfigError
from rise_learning.evaluation.held_out import HeldOutChunks, held_out_value, video_figures
from rise_learning.evaluation.table_rows import (
    DYNAMICS_COLUMNS,
    DYNAMICS_ROWS,
    VALUE_COLUMNS,
    RowPlan,
    TableData,
    as_table,
    chosen_rows,
    plan_row,
)
from rise_learning.model_choices import ARCHITECTURES
from rise_learning.presets import PRESET_NAMES, Preset, get_preset
from rise_learning.training.run_directory import to_plain, write_json
from rise_learning.training.world_model_io import load_dynamics, load_inputs, load_value, sampling_steps
from rise_worldmodel.video_scores import PublishedMetrics

ROW_FILE = "row.json"


@dataclass(frozen=True)
class Args:
    """Flags of world_model_table."""

    bags: tuple[Path, ...]
    """Bags that every row is trained on."""
    held_out: tuple[Path, ...]
    """Bags of episodes that no row reads, which all are measured on."""
    out: Path
    """Directory of the rows and of table.json."""
    pretrain_bags: tuple[Path, ...] = ()
    """Bags of many tasks that every row but no_pretrain is trained on before; none: no row is pre-trained."""
    rows: tuple[str, ...] = ()
    """Which; all that the bags allow when not given."""
    preset: str = "tiny"
    steps: int = 0
    """Steps of every dynamics row instead of the preset's; 0 keeps those. The same for all: equal compute."""
    pretrain_steps: int = 0
    value_steps: int = 0
    chunks: int = 96
    """Held-out chunks."""
    lpips_weights: Path | None = None
    """As for evaluate_world_model; without it there is no LPIPS."""
    fvd_weights: Path | None = None
    """As for evaluate_world_model; without it there is no FVD."""
    seed: int = 0
    threads: int = 2
    json: bool = False
    """Print JSON, not tables."""


def run_row(plan: RowPlan, args: Args, held_out: EpisodeSet) -> dict[str, Any]:
    """Train and measure one row, or find it done."""
    lines = [shlex.join(("python", "-m", f"rise_learning.{name}", *flags)) for name, flags in plan.commands]
    asked = {
        "commands": lines,
        "held_out": [str(path) for path in args.held_out],
        "episodes": digest_of(held_out),
        "chunks": args.chunks,
        "published": [str(weights) for weights in (args.lpips_weights, args.fvd_weights)],
    }
    stored = plan.out / ROW_FILE
    if stored.is_file():
        done = json.loads(stored.read_text())
        if done["asked"] != asked:
            raise ConfigError(f"{stored} was made by {done['asked']}, now asked for is {asked}; choose another --out")
        return done
    for line, (name, flags) in zip(lines, plan.commands, strict=True):
        print(f"$ {line}", flush=True)
        if name == "train_value":
            train_value.train(cli.parse(train_value.Args.from_preset, PRESET_NAMES, list(flags)))
        else:
            parsed = cli.parse(train_dynamics.Args.from_preset, PRESET_NAMES, list(flags), architecture=ARCHITECTURES)
            train_dynamics.train(parsed)
    part = "dynamics" if plan.name in DYNAMICS_ROWS else "value"
    measured = (dynamics_row if part == "dynamics" else value_row)(plan.out / part, args, held_out)
    row = {"asked": asked, "training": training_figures(plan.out / part), "report": measured}
    write_json(stored, row)
    return json.loads(stored.read_text())


def digest_of(episodes: EpisodeSet) -> str:
    """Which episodes these are."""
    return hashlib.sha256("\n".join(sorted(each.episode_id for each in episodes.episodes)).encode()).hexdigest()[:16]


def dynamics_row(directory: Path, args: Args, held_out: EpisodeSet) -> dict[str, Any]:
    """`video_figures` of chunks that are the same for every row, with the Euler steps the dynamics are meant for."""
    model = load_dynamics(directory, held_out.contract).eval()
    return video_figures(
        model,
        load_inputs(directory, held_out.contract, model.config),
        HeldOutChunks.draw(held_out, args.chunks, args.seed),
        steps=sampling_steps(directory),
        published=PublishedMetrics.load(args.lpips_weights, args.fvd_weights),
    )


def value_row(directory: Path, args: Args, held_out: EpisodeSet) -> dict[str, Any]:
    """Success against failure on held-out episodes, by kind of failure, too."""
    found, _ = held_out_value(load_value(directory, held_out.contract), held_out)
    return {name: figure for name, figure in found.items() if name != "by_episode"}


def training_figures(directory: Path) -> dict[str, Any]:
    """Steps, speed and size of a finished training."""
    last = json.loads((directory / "metrics.jsonl").read_text().splitlines()[-1])
    config = json.loads((directory / "config.json").read_text())
    return {
        "steps": last["step"],
        "seconds_per_step": 1.0 / last["steps_per_second"],
        "loss": last["loss"],
        "from_base": config.get("from_base", False),
        "ablations": config["ablations"],
        "model_bytes": (directory / "model.safetensors").stat().st_size,
    }


def make_table(args: Args) -> dict[str, Any]:
    """All rows; writes OUT/table.json after each. Raises ConfigError or what a training raises."""
    cli.use_threads(args.threads)
    preset: Preset = get_preset(args.preset)
    names = chosen_rows(args.rows, pretrained=bool(args.pretrain_bags))
    fields = {item.name for item in dataclasses.fields(TableData)}
    data = TableData(**{name: value for name, value in vars(args).items() if name in fields})
    held_out = load_bags(list(args.held_out), preset.image_size)
    require_apart([*args.bags, *args.pretrain_bags], held_out, preset.image_size)
    args.out.mkdir(parents=True, exist_ok=True)
    table: dict[str, Any] = {"settings": to_plain(args), "dynamics": {}, "value": {}}
    for name in names:
        row = run_row(plan_row(name, data, args.out), args, held_out)
        table["dynamics" if name in DYNAMICS_ROWS else "value"][name] = row
        write_json(args.out / "table.json", table)
    return table


def show(table: dict[str, Any]) -> None:
    """Both tables, for people."""
    for part, columns in (("dynamics", DYNAMICS_COLUMNS), ("value", VALUE_COLUMNS)):
        if table[part]:
            print(f"\n{part}, held-out")
            print(as_table({name: row["report"] for name, row in table[part].items()}, columns))


def main() -> None:
    args = tyro.cli(Args, description=__doc__)

    def work() -> None:
        table = make_table(args)
        print(json.dumps(table)) if args.json else show(table)

    cli.run(work)


if __name__ == "__main__":
    main()

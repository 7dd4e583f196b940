"""What a run is worth on recorded episodes that it was not trained on; needs no robot and no simulator.

    python -m rise_learning.offline_report --run runs/droid --bags bags/droid/val bags/droid/held_out

Writes RUN/offline_report.json, RUN/offline_report.png and a strip of imagined beside real frames. An open-loop action
error says how near a policy's chunks are to what was recorded, not whether they would succeed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor

from rise_learning import cli
from rise_learning.data.loading import load_bags
from rise_learning.errors import CheckpointError
from rise_learning.evaluation.offline import complete_starts, dynamics_figures, policy_figures, value_figures
from rise_learning.evaluation.offline_figures import offline_figure
from rise_learning.policy.checkpoint import load_policy
from rise_learning.policy.location import META, STAGES
from rise_learning.presets import get_preset
from rise_learning.train_dynamics import clip
from rise_learning.training.learned_from import require_unread
from rise_learning.training.run_directory import write_json
from rise_learning.training.world_model_io import load_dynamics, load_inputs, load_value, sampling_steps
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.told import Told
from rise_worldmodel.visualize import write_strip

TRAININGS = ("value", "dynamics", *STAGES)


@dataclass(frozen=True)
class Args:
    """Flags of offline_report."""

    run: Path
    """Run directory of train_value, train_dynamics, train_policy and self_improve."""
    bags: tuple[Path, ...]
    """Bags of episodes that no training of the run has read."""
    chunks: int = 64
    """Chunks of each episode that the dynamics are measured on."""
    seed: int = 0
    threads: int = 2
    json: bool = False
    """Print the report as JSON."""


def training_configs(run: Path, needed: tuple[str, ...] = ("value", "dynamics")) -> dict[str, dict[str, Any]]:
    """Saved settings of every training in the run. Raises CheckpointError: one that is needed is missing."""
    configs = {}
    for name in TRAININGS:
        path = run / name / "config.json"
        if path.is_file():
            configs[name] = json.loads(path.read_text())["args"]
    missing = [name for name in needed if name not in configs]
    if missing:
        raise CheckpointError(f"{run} lacks {' and '.join(missing)}; run train_value and train_dynamics --out {run}")
    return configs


def make_report(args: Args) -> dict[str, Any]:
    """Measure, and write the files of the report."""
    cli.use_threads(args.threads)
    configs = training_configs(args.run)
    size = get_preset(configs["dynamics"]["preset"]).image_size
    episodes = load_bags(list(args.bags), size)
    require_unread([args.run / name for name in configs], episodes)
    contract = episodes.contract
    model = load_dynamics(args.run / "dynamics", contract).eval()
    inputs, steps = load_inputs(args.run / "dynamics", contract, model.config), sampling_steps(args.run / "dynamics")
    stages = [name for name in reversed(STAGES) if (args.run / name / META).is_file()]
    policies = {name: load_policy(args.run / name, contract) for name in stages}
    value, values = value_figures(load_value(args.run / "value", contract), episodes)
    report = {
        "run": str(args.run),
        "seed": args.seed,
        "contract": f"{contract.name} ({contract.digest})",
        "episodes": [{"episode_id": e.episode_id, "kind": e.kind, "outcome": e.outcome} for e in episodes.episodes],
        "trainings": {
            name: {"steps": config["training"]["loop"]["steps"], "seed": config["seed"], "preset": config["preset"]}
            for name, config in configs.items()
        },
        "dynamics": dynamics_figures(model, inputs, episodes, chunks=args.chunks, seed=args.seed, steps=steps),
        "value": value,
        "policies": policy_figures(policies, episodes, seed=args.seed),
    }
    write_json(args.run / "offline_report.json", report)
    (args.run / "offline_report.png").write_bytes(offline_figure(report, values, episodes))
    starts = complete_starts(episodes)
    if len(starts):
        clips = clip(episodes, np.random.default_rng(args.seed).choice(starts, 1), inputs)
        _draw_imagined(args.run / "offline_imagined_above_real.png", model, clips, args.seed, steps)
    return report


def _draw_imagined(
    path: Path, model: MultiViewDynamics, clips: tuple[Tensor, Tensor, Told], seed: int, steps: int
) -> None:
    """One chunk: for every view what was imagined, and below it what was recorded."""
    context, future, told = clips
    generator = torch.Generator().manual_seed(seed)
    imagined = model.sample(context, told.actions, told.state, steps=steps, maps=told.maps, generator=generator)
    write_strip(path, [imagined[0], future[0]], every=3, scale=3)


def as_text(report: dict[str, Any]) -> str:
    """For people."""
    found, value = report["dynamics"], report["value"]
    lines = [f"{len(report['episodes'])} episodes that no training has read, contract {report['contract']}"]
    if found["chunks"]:
        lines.append(f"dynamics on {found['chunks']} chunks, PSNR in dB (of what moves):")
        for name, label in (
            ("psnr", "imagined"), ("psnr_copy_last", "last frame repeated"),
            ("psnr_shuffled_actions", "imagined under other actions"), ("codec_psnr", "codec alone (ceiling)"),
        ):  # fmt: skip
            lines.append(f"  {label:<30}{found[name]:6.2f}  ({found[f'{name}_moving']:.2f})")
        lines.append(
            f"  better than the last frame in {found['episodes_above_copy_last']} of {found['episodes']} episodes"
        )
    area = value["auc_success_vs_failure_last"]
    lines.append(
        f"value: AUC of {value['episodes_success']} successes against {value['episodes_failure']} failures "
        + ("undefined" if area is None else f"{area:.2f}")
    )
    for group, figures in report["policies"].items():
        lines.append(f"open-loop action error, {group}: {figures['chunks']} chunks of {figures['episodes']} episodes")
        for name, errors in figures.items():
            if isinstance(errors, dict):
                means = [f"{errors[key]:.4f} {unit}" for unit in ("rad", "m") if (key := f"mean_{unit}") in errors]
                lines.append(f"  {name:<16}{', '.join(means)}")
    return "\n".join(lines)


def main() -> None:
    def run() -> None:
        args = tyro.cli(Args, description=__doc__)
        report = make_report(args)
        print(json.dumps(report) if args.json else as_text(report))

    cli.run(run)


if __name__ == "__main__":
    main()

"""What a world model is worth on recorded episodes that its run has not read: figures, clips and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rise_learning.evaluation.held_out import (
    HeldOutChunks,
    advantage_figures,
    held_out_value,
    steps_against_quality,
    video_figures,
    write_held_out_videos,
)
from rise_learning.evaluation.imagination_figures import outcomes_figure
from rise_learning.offline_report import training_configs
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_learning.training.learned_from import load_unread
from rise_learning.training.world_model_io import load_dynamics, load_inputs, trained_contract
from rise_worldmodel.video_scores import PublishedMetrics


def held_out_report(
    run: Path,
    bags: Sequence[Path],
    model: LearnedWorldModel | None,
    *,
    chunks: int,
    seed: int,
    videos: int,
    compare_steps: Sequence[int],
    steps: int,
    published: PublishedMetrics,
) -> dict[str, Any]:
    """Video, value and Eq. 2 by the names of the demo's summary; clips and a picture go to RUN/world_model.

    Args:
        model: of the run; None where it has no value model: then the videos of its dynamics are all.

    Raises:
        DataError: the run has read one of the episodes, or none has two whole chunks.
        ContractMismatchError: the bags are of another robot.
    """
    configs = training_configs(run, ("dynamics",) if model is None else ("value", "dynamics"))
    contract = trained_contract(run / "dynamics")
    dynamics = load_dynamics(run / "dynamics", contract).eval() if model is None else model.model.dynamics
    inputs = load_inputs(run / "dynamics", contract, dynamics.config) if model is None else model.inputs
    size = dynamics.config.height, dynamics.config.width
    episodes = load_unread(bags, size, run, configs, contract)
    drawn = HeldOutChunks.draw(episodes, chunks, seed)
    directory = run / "world_model"
    directory.mkdir(parents=True, exist_ok=True)
    report = {
        "dynamics": video_figures(dynamics, inputs, drawn, steps=steps, published=published),
        "held_out_clips": write_held_out_videos(directory, dynamics, inputs, drawn, videos, steps),
    }
    if model is None:
        return report
    value, values = held_out_value(model.model.value, episodes)
    if (picture := outcomes_figure(episodes, values)) is not None:
        (directory / "value_of_outcomes.png").write_bytes(picture)
    by_steps = steps_against_quality(model, drawn, compare_steps)
    return {**report, "value": value, "recorded_chunks": advantage_figures(model, drawn), "by_steps": by_steps}

"""What a world model is worth on recorded episodes that its run has not read: figures, clips and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rise_learning.data.loading import load_bags
from rise_learning.evaluation.held_out import (
    HeldOutChunks,
    advantage_figures,
    held_out_value,
    steps_against_quality,
    video_figures,
    write_held_out_videos,
)
from rise_learning.evaluation.imagination_figures import outcomes_figure
from rise_learning.offline_report import refuse_same_episodes, refuse_trained_on, training_configs
from rise_learning.rl.learned_world_model import LearnedWorldModel
from rise_worldmodel.video_scores import PublishedMetrics


def held_out_report(
    run: Path,
    bags: Sequence[Path],
    model: LearnedWorldModel,
    *,
    chunks: int,
    seed: int,
    videos: int,
    compare_steps: Sequence[int],
    steps: int,
    published: PublishedMetrics,
) -> dict[str, Any]:
    """Video, value and Eq. 2 by the names of the demo's summary; clips and a picture go to RUN/world_model.

    Raises:
        DataError: the run has read one of the episodes, or none has two whole chunks.
        ContractMismatchError: the bags are of another robot.
    """
    configs, config = training_configs(run), model.model.dynamics.config
    refuse_trained_on(configs, tuple(bags))
    size = config.height, config.width
    episodes = load_bags(list(bags), size)
    refuse_same_episodes(configs, episodes, size)
    model.inputs.contract.require_same(episodes.contract, ours=str(run), theirs=str(bags[0]))
    drawn = HeldOutChunks.draw(episodes, chunks, seed)
    value, values = held_out_value(model, episodes)
    directory = run / "world_model"
    directory.mkdir(parents=True, exist_ok=True)
    if (picture := outcomes_figure(episodes, values)) is not None:
        (directory / "value_of_outcomes.png").write_bytes(picture)
    return {
        "dynamics": video_figures(model, drawn, steps=steps, published=published),
        "value": value,
        "recorded_chunks": advantage_figures(model, drawn),
        "by_steps": steps_against_quality(model, drawn, compare_steps),
        "held_out_clips": write_held_out_videos(directory, model, drawn, videos),
    }

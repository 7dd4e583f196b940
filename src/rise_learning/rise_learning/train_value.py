"""Train the progress + TD value model from bags (Sec. III-A, Eq. 5 and 6); it goes to OUT/value.

Ablations of Table IV: --no-progress, --no-td.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor

from rise_learning import cli
from rise_learning.data.episode_set import DEMONSTRATION, EpisodeSet
from rise_learning.data.loading import load_bags
from rise_learning.errors import ConfigError, DataError
from rise_learning.evaluation.statistics import auc
from rise_learning.model_choices import Pi05Backbone
from rise_learning.presets import PRESET_NAMES, get_preset
from rise_learning.training import distributed
from rise_learning.training.fingerprint import fingerprint
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.loop import Trainer, step_rng, step_seed
from rise_learning.training.policy_training import view_groups
from rise_learning.training.published import published_directory
from rise_learning.training.run_directory import RunDirectory, write_json
from rise_learning.training.shown_frames import Imagining, ShownFrames
from rise_learning.training.world_model_io import (
    load_dynamics,
    load_inputs,
    sampling_steps,
    save_trained,
    value_of_frames,
)
from rise_learning.training_settings import ValueTraining
from rise_worldmodel.config import ValueConfig
from rise_worldmodel.losses import auxiliary_loss, progress_loss, td_loss, td_target
from rise_worldmodel.pi05.tokenizer import load_tokenizer
from rise_worldmodel.pi05.value import Pi05Value, Pi05ValueConfig
from rise_worldmodel.value import ValueFunction, ValueModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Args:
    """Flags of train_value."""

    bags: tuple[Path, ...] = tyro.MISSING
    """Bags, or directories of bags: demonstrations, and rollouts that succeeded and failed."""
    out: Path = tyro.MISSING
    """Run directory; the model goes to OUT/value."""
    preset: str = "tiny"
    seed: int = 0
    threads: int = 2
    progress: bool = True
    """Regress progress (Eq. 5); without it TD alone, from the first step."""
    td: bool = True
    """Temporal differences (Eq. 6); without it progress alone."""
    training: ValueTraining = dataclasses.field(default_factory=ValueTraining)

    @classmethod
    def from_preset(cls, name: str) -> Args:
        return cls(preset=name, training=get_preset(name).value)

    @property
    def ablations(self) -> tuple[str, ...]:
        """Flags that take something away, as on the command line."""
        return tuple(flag for flag, kept in (("--no-progress", self.progress), ("--no-td", self.td)) if not kept)


RubricClasses = tuple[tuple[str, ...], tuple[str, ...]]
"""(objects, event names) of the auxiliary head."""


class ValueObjective:
    """Loss of one step: progress on successful demonstrations, TD on every episode whose outcome is known.

    Args:
        progress, td: whether each of the two is in the loss.

    Attributes:
        demonstrated: (N,) frames on which progress is regressed.
        target: whose values TD bootstraps from: the model itself, or (`released`) the average of its weights.
    """

    def __init__(
        self,
        model: ValueFunction,
        episodes: EpisodeSet,
        rubric: RubricClasses,
        settings: ValueTraining,
        seed: int,
        *,
        progress: bool = True,
        td: bool = True,
    ) -> None:
        if not (progress or td):
            raise ConfigError("--no-progress and --no-td together leave nothing to learn")
        self.model, self.episodes, self.settings, self.seed = model, episodes, settings, seed
        self.progress, self.td, self.target = progress, td, model
        kind = DEMONSTRATION if settings.progress_on == "demonstrations" else None
        demonstrated = episodes.frames_of(kind, "success")
        judged = [episodes.frames_of(outcome=outcome) for outcome in ("success", "failure")]
        if not len(demonstrated):
            raise DataError(
                f"the progress loss (Eq. 5) needs {settings.progress_on} that succeeded; these bags hold none"
            )
        self.demonstrated, self.judged = demonstrated, np.concatenate(judged)
        self._shown: ShownFrames | None = None
        self._pools = self._pools_among(np.empty(0, np.int64))
        self.rubric = episodes.rubric_state(*rubric) if model.config.auxiliary_dim else None
        self.success = np.array([episode.outcome == "success" for episode in episodes.episodes])
        self.td_begins = math.ceil(settings.progress_only_share * settings.loop.steps) if progress else 0

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: a training that is made longer does not go back to progress alone."""
        return {"td_begins": torch.tensor(self.td_begins)}

    def restore(self, state: dict[str, Tensor]) -> None:
        if state:
            self.td_begins = int(state["td_begins"])

    def show(self, shown: ShownFrames) -> None:
        """From now on `settings.imagined_share` of the frames are as dynamics show them."""
        self._shown, self._pools = shown, self._pools_among(shown.of)

    def _pools_among(self, of: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Demonstrated and judged frames, each with the rows of shown frames `of` that are of them."""
        return [(g, np.flatnonzero(np.isin(of, g))) for g in (self.demonstrated, self.judged)]

    def __call__(self, step: int) -> dict[str, Tensor]:
        settings, half = self.settings, self.settings.loop.local_batch_size // 2
        rng = step_rng(self.seed, step)
        with_td = self.td and step >= self.td_begins
        drawn = [self._draw(*pool, half, rng) for pool in self._pools]
        g, pictures = (np.concatenate(each) for each in zip(*drawn, strict=True))
        output = self.model(torch.from_numpy(pictures), self.episodes.instructions_of(g))
        expert = torch.arange(len(g)) < half
        progress = torch.from_numpy(self.episodes.progress(g)).to(output.value.device)
        metrics = {"progress": progress_loss(output.value, progress, expert.to(output.value.device))}
        metrics["loss"] = metrics["progress"] if self.progress else 0.0 * metrics["progress"]
        if with_td:
            metrics["td"] = td_loss(output.value[half:], self._targets(g[half:]))
            metrics["loss"] = metrics["loss"] + settings.td_weight * metrics["td"]
        if self.rubric is not None:
            classes = torch.from_numpy(self.rubric[g]).to(output.auxiliary.device)
            metrics["auxiliary"] = auxiliary_loss(output.auxiliary, classes)
            metrics["loss"] = metrics["loss"] + settings.auxiliary_weight * metrics["auxiliary"]
        return metrics

    def _draw(
        self, frames: np.ndarray, rows: np.ndarray, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (B,) and pictures (B, V, h, w, 3) of some of `frames`, or of the `rows` that show them."""
        g = rng.choice(frames, count)
        pictures = self.episodes.frames[g]
        if self._shown is None:
            return g, pictures
        return self._shown.replace(g, pictures, self.settings.imagined_share, rows, rng)

    def _targets(self, g: np.ndarray) -> Tensor:
        following = self.episodes.future_index(g, 1)[:, 0]
        with torch.no_grad():
            pictures = torch.from_numpy(self.episodes.frames[following])
            next_value = self.target(pictures, self.episodes.instructions_of(following)).value
        terminal = self.episodes.frames_left(g) < self.settings.terminal_frames
        return td_target(
            next_value,
            torch.from_numpy(terminal).to(next_value.device),
            torch.from_numpy(self.success[self.episodes.episode_of[g]]).to(next_value.device),
            gamma=self.settings.discount,
            failure_reward=self.settings.failure_reward,
            clamp=self.settings.td_bounds,
        )


def value_config(episodes: EpisodeSet, rubric: RubricClasses, image_size: tuple[int, int]) -> ValueConfig:
    """Encoders by kind of camera, the first one at full resolution; auxiliary outputs where bags hold rubric events."""
    groups = view_groups(episodes.contract.camera_names)
    objects, names = rubric
    return ValueConfig(
        views=len(groups),
        height=image_size[0],
        width=image_size[1],
        encoder_of_view=groups,
        full_resolution=tuple(number == 0 for number in range(max(groups) + 1)),
        auxiliary_dim=len(objects) * (1 + len(names)),
    )


def new_value(
    episodes: EpisodeSet, rubric: RubricClasses, settings: ValueTraining, image_size: tuple[int, int], seed: int
) -> ValueFunction:
    """A value model for the contract of `episodes`, on published weights where the preset has them."""
    torch.manual_seed(seed)
    small, backbone = value_config(episodes, rubric, image_size), settings.backbone
    if not isinstance(backbone, Pi05Backbone):
        return ValueModel(small)
    auxiliary_dim = small.auxiliary_dim if settings.auxiliary_weight > 0 else 0
    config = Pi05ValueConfig(small.views, small.height, small.width, auxiliary_dim, architecture=backbone.architecture)
    directory = published_directory(backbone.weights, "--training.backbone.weights", "pi0.5 (openpi or lerobot)")
    model = Pi05Value(config, load_tokenizer(directory, backbone.architecture))
    if directory is not None:
        logger.info("%s: %s", directory, model.load_published(directory))
    return model


def shown_by_dynamics(
    directory: Path, episodes: EpisodeSet, settings: ValueTraining, run: RunDirectory, mark: dict[str, Any], seed: int
) -> ShownFrames:
    """Frames of `episodes` as the dynamics of `directory` show them, kept in `run` for the training of `mark`."""
    world, identity = distributed.world(), hashlib.sha256(json.dumps(mark, sort_keys=True).encode()).hexdigest()
    path = run.path / f"shown_frames_{world.rank}.safetensors"
    shown = ShownFrames.load(path, identity)
    if shown is None:
        dynamics = load_dynamics(directory, episodes.contract).eval().to(distributed.start(settings.loop.device))
        inputs = load_inputs(directory, episodes.contract, dynamics.config)
        count = -(-settings.imagined_chunks // world.size)
        plan = Imagining(count, settings.imagined_links, sampling_steps(directory))
        shown = ShownFrames.imagine(dynamics, inputs, episodes, plan, step_seed(seed, world.rank))
        shown.save(path, identity)
    return shown


def success_against_failure(model: ValueFunction, episodes: EpisodeSet) -> dict[str, float]:
    """AUC of V at the last frame, and of its mean over the episode, between successes and failures."""
    values = value_of_frames(model, episodes)
    success = np.array([episode.outcome == "success" for episode in episodes.episodes])
    known = np.array([episode.outcome in ("success", "failure") for episode in episodes.episodes])
    final = values[episodes.last_frame]
    return {
        "auc_success_vs_failure": auc(final[success & known], final[~success & known]),
        "episodes_success": int((success & known).sum()),
        "episodes_failure": int((~success & known).sum()),
    }


def train(args: Args) -> None:
    """Train, report on held-out episodes, and write the EMA model."""
    cli.use_threads(args.threads)
    settings, size = args.training, get_preset(args.preset).image_size
    episodes = load_bags(list(args.bags), size)
    training, held_out = episodes.split(settings.held_out, args.seed)
    rubric = episodes.rubric_classes()
    model = new_value(training, rubric, settings, size, args.seed)
    run = RunDirectory(args.out / "value")
    loop = dataclasses.replace(settings.loop, seed=args.seed)
    models = {"dynamics": args.out / "dynamics"} if settings.imagined_share else {}
    mark = fingerprint(training, model.config, args, models)
    objective = ValueObjective(model, training, rubric, settings, args.seed, progress=args.progress, td=args.td)
    trainer = Trainer(  # refuses before minutes of imagining
        model, objective, loop, run, fingerprint=mark, extra_state=objective.state
    )
    objective.restore(trainer.resumed_extra)
    if models:
        objective.show(shown_by_dynamics(models["dynamics"], training, settings, run, mark, args.seed))
    run.save_config(args=args, model=model.config, ablations=args.ablations)
    LearnedFrom.of(training, models.values()).write(run.path)
    if settings.averaged_target:
        averaged_value = trainer.ema.module
        assert isinstance(averaged_value, ValueFunction)
        objective.target = averaged_value
    averaged = trainer.run("value")
    assert isinstance(averaged, ValueFunction)
    if not distributed.is_main():
        return
    save_trained(run.path, averaged, episodes.contract)
    metrics = success_against_failure(averaged, held_out)
    write_json(run.path / "held_out.json", metrics)
    area = metrics["auc_success_vs_failure"]
    shown = "undefined" if np.isnan(area) else f"{area:.3f}"
    print(
        f"value: AUC success against failure {shown} on {metrics['episodes_success']} held-out successes "
        f"and {metrics['episodes_failure']} failures"
    )


def main() -> None:
    cli.run(lambda: train(cli.parse(Args.from_preset, PRESET_NAMES)))


if __name__ == "__main__":
    main()

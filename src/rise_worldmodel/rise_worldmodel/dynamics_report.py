"""Imagined videos beside their bounds: copying the last frame, the codec's ceiling, another sample's actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.flow_matching import seeded_noise
from rise_worldmodel.metrics import moving_mask
from rise_worldmodel.optical_flow import optical_flow
from rise_worldmodel.told import Told
from rise_worldmodel.video_scores import PublishedMetrics, Truth, VideoScores, each_view

CANDIDATES = ("psnr", "psnr_copy_last", "psnr_shuffled_actions", "codec_psnr")
"""How the PSNR of imagination and of its bounds is called; other metrics follow, with the same affixes."""
AFFIXES = {"psnr": "{}", "psnr_copy_last": "{}_copy_last", "psnr_shuffled_actions": "{}_shuffled_actions",
    "codec_psnr": "codec_{}"}  # fmt: skip


class Portion(NamedTuple):
    """Some held-out chunks.

    Attributes:
        context, future: frames, shapes as in `MultiViewDynamics.loss`.
        told: of these chunks. other: of other chunks, the shuffled actions.
        seeds: of their noise.
    """

    context: Tensor
    future: Tensor
    told: Told
    other: Told
    seeds: list[int]


def named_figures(scores: dict[str, VideoScores]) -> dict[str, float]:
    """All figures of `collect_scores`.

    Returns:
        `psnr`, `psnr_copy_last`, `psnr_shuffled_actions`, `codec_psnr`, the same with `_moving` on what moves; `ssim`
        and the others of `VideoScores.report`, with the same affixes.
    """
    return {key: value for name in CANDIDATES for key, value in _named(name, scores[name]).items()}


@torch.inference_mode()
def collect_scores(
    model: MultiViewDynamics,
    portions: Iterator[Portion],
    *,
    steps: int = 1,
    flow: bool = False,
    published: PublishedMetrics | None = None,
) -> dict[str, VideoScores]:
    """Scores of imagination and of its bounds, by `CANDIDATES`, over all portions, which are held one at a time.

    Args:
        flow: EPE as well.
        published: LPIPS and FVD as well.
    """
    published = published or PublishedMetrics()
    scores = {name: VideoScores(published) for name in CANDIDATES}
    for context, future, told, other, seeds in portions:
        last = context[:, -1]
        noise = seeded_noise(model.latent_shape, seeds)
        truth = _truth(last, future, flow, published)
        scores["psnr"].add(_imagine(model, context, told, steps, noise), truth)
        scores["psnr_copy_last"].add(last[:, None].expand_as(future), truth)
        scores["psnr_shuffled_actions"].add(_imagine(model, context, other, steps, noise), truth)
        seen, real = context.to(model.device), future.to(model.device)
        scores["codec_psnr"].add(model.decode_future(seen, model.encode_future(real), told.maps).cpu(), truth)
    return scores


def dynamics_report(
    model: MultiViewDynamics,
    context: Tensor,
    future: Tensor,
    actions: Tensor,
    state: Tensor | None,
    *,
    maps: Tensor | None = None,
    other: Told | None = None,
    steps: int = 1,
    seed: int = 0,
    micro_batch: int = 8,
    flow: bool = False,
    published: PublishedMetrics | None = None,
) -> dict[str, float]:
    """`named_figures` of clips that lie in memory; shuffled: `other`.

    Args:
        context, future, actions, state, maps: held-out clips, shapes as in `MultiViewDynamics.loss`.
        other: what another clip's actions would have been told here; None for all that the clip before was told, which
            is the same where maps show the robot alone.
    """
    order = torch.arange(len(context))
    seeds = torch.randint(0, 2**62, (len(context),), generator=torch.Generator().manual_seed(seed)).tolist()

    told = Told(actions, state, maps)
    other = other or _of(told, order.roll(1))

    def portions() -> Iterator[Portion]:
        for rows in order.split(micro_batch):
            yield Portion(context[rows], future[rows], _of(told, rows), _of(other, rows), [seeds[row] for row in rows])

    return named_figures(collect_scores(model, portions(), steps=steps, flow=flow, published=published))


def _of(told: Told, rows: Tensor) -> Told:
    """What clips `rows` are told."""
    return Told(told.actions[rows], *(None if part is None else part[rows] for part in (told.state, told.maps)))


def _imagine(model: MultiViewDynamics, context: Tensor, told: Told, steps: int, noise: Tensor) -> Tensor:
    return model.sample(context, told.actions, told.state, steps=steps, maps=told.maps, noise=noise).cpu()


def _truth(last: Tensor, future: Tensor, flow: bool, published: PublishedMetrics) -> Truth:
    moved = optical_flow(torch.cat([last[:, None], future], dim=1)) if flow else None
    features = None if published.i3d is None else published.i3d(each_view(future))
    return Truth(last, future, moving_mask(future, last), moved, features)


def _named(name: str, scores: VideoScores) -> dict[str, float]:
    """`ssim` of the candidate `psnr_copy_last` -> `ssim_copy_last`; what moves keeps its suffix at the end."""
    found = {}
    for metric, value in scores.report().items():
        base, moving = metric.removesuffix("_moving"), "_moving" if metric.endswith("_moving") else ""
        found[AFFIXES[name].format(base) + moving] = value
    return found

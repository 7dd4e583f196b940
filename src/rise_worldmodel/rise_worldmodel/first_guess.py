"""What dynamics with control maps imagine before they are trained: least squares of what maps draw, in closed form.

Maps show the robot, all that stands still and, where asked for, objects that a belt carries. What latents owe to that
linearly need not be learned by gradient descent; the network is left with what is neither drawn nor still.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ConfigError
from rise_worldmodel.transformer import MultiViewTransformer

RIDGE = 1e-5
"""Penalty on squared weights, for a mean square of 1 in the codes."""
PORTION = 32
"""Clips that are encoded at once."""


@torch.no_grad()
def fit_first_guess(model: MultiViewDynamics, context: Tensor, future: Tensor, maps: Tensor) -> None:
    """Set `drawn` and `persistence` of untrained dynamics to what explains clips best together; network output is 0.

    Every channel c of a latent is `persistence[c] * still[c] + drawn[c] @ codes`. All have the same codes, which are
    taken out first; what then remains of a channel is explained by what remains of it standing still.

    Args:
        context: (B, C, V, H, W, 3) uint8. future: (B, F, V, H, W, 3) uint8. maps: (B, M + 1, V, H, W, 3) uint8.

    Raises:
        ConfigError: these dynamics see no maps, or do not predict clean latents.
    """
    network = model.transformer
    if model.drawn is None or model.persistence is None or not isinstance(network, MultiViewTransformer):
        raise ConfigError("a first guess needs control maps, and an LTX transformer that predicts clean latents")
    parts = [_rows(model, *part) for part in zip(*(x.split(PORTION) for x in (context, future, maps)), strict=True)]
    wanted, still, codes = (torch.cat(column) for column in zip(*parts, strict=True))
    gram = codes.T @ codes
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)

    def explained(rows: Tensor) -> Tensor:
        return torch.linalg.solve(gram, codes.T @ rows)  # (codes, channels)

    of_still, of_wanted = explained(still), explained(wanted)
    own, left = still - codes @ of_still, wanted - codes @ of_wanted
    share = (own * left).sum(0) / own.square().sum(0).clamp_min(1e-9)
    model.persistence.copy_(share.to(model.persistence).expand_as(model.persistence))
    network.proj_out.weight.zero_()
    network.proj_out.bias.zero_()
    model.drawn.weight.copy_((of_wanted - share * of_still).T.to(model.drawn.weight))


def _rows(model: MultiViewDynamics, context: Tensor, future: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of every latent of some clips: (N, channels) as it is, (N, channels) standing still, (N, codes) what is drawn."""
    context, future, maps = (part.to(model.device) for part in (context, future, maps))
    clean, codes = model.encode_future(future), model.encode_maps(maps)
    assert codes is not None
    still = model.encode_context(context).still.expand_as(clean)
    return clean.flatten(0, 3).double().cpu(), still.flatten(0, 3).double().cpu(), codes.flatten(0, 3).double().cpu()

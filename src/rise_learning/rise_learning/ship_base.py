"""Store the dynamics of a run in half precision as the base that ships with the project (scripts/pretrain_base.sh)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from rise_learning import cli
from rise_learning.data.dynamics_inputs import NORMALIZER_KEY, TRACKING_KEY
from rise_learning.training.base import SHIPPED
from rise_learning.training.learned_from import LearnedFrom
from rise_learning.training.world_model_io import CONTRACT_KEY, FILE
from rise_worldmodel.checkpoint import load_model, read_metadata, save_model

KEPT = (CONTRACT_KEY, NORMALIZER_KEY, TRACKING_KEY)


@dataclass(frozen=True)
class Args:
    """Flags of ship_base."""

    run: Path
    """Run directory of train_dynamics."""
    out: Path = SHIPPED / "dynamics"


def main() -> None:
    cli.run(lambda: ship(tyro.cli(Args, description=__doc__)))


def ship(args: Args) -> None:
    """Write OUT/model.safetensors with the contract and what the dynamics are told, and what they have learned from."""
    source, target = args.run / "dynamics" / FILE, args.out / FILE
    metadata = {key: text for key, text in read_metadata(source).items() if key in KEPT}
    model = load_model(source)
    args.out.mkdir(parents=True, exist_ok=True)
    save_model(target, model, metadata=metadata, dtype=torch.float16)
    LearnedFrom.read(source.parent).write(args.out)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

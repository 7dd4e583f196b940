"""The figures of a world model as lines for a terminal."""

from __future__ import annotations

from typing import Any

VIDEOS = {
    "{}": "imagined",
    "{}_copy_last": "last frame repeated",
    "{}_shuffled_actions": "imagined, other actions",
    "codec_{}": "codec alone (ceiling)",
}
COLUMNS = {
    "psnr": "PSNR dB",
    "psnr_moving": "moving",
    "ssim": "SSIM",
    "epe": "EPE px",
    "epe_moving": "moving",
    "lpips": "LPIPS",
    "fvd": "FVD",
}


def held_out_lines(report: dict[str, Any]) -> list[str]:
    """Of recorded episodes; nothing where none were given."""
    if "dynamics" not in report:
        return []
    dynamics = report["dynamics"]
    shown = [name for name in COLUMNS if name in dynamics]
    lines = [
        f"held out: {dynamics['chunks']} chunks of {dynamics['episodes']} episodes",
        f"{'':26}" + "".join(f"{COLUMNS[name]:>9}" for name in shown),
    ]
    for affix, label in VIDEOS.items():
        cells = []
        for name in shown:
            base, moving = name.removesuffix("_moving"), "_moving" if name.endswith("_moving") else ""
            cells.append(f"{dynamics[affix.format(base) + moving]:9.3f}")
        lines.append(f"{label:26}" + "".join(cells))
    for bound in ("copy_last", "shuffled_actions"):
        cells = [_gain(dynamics, f"gain_over_{bound}_db{moving}") for moving in ("", "_moving")]
        lines.append(f"above {bound.replace('_', ' ')}, dB: {cells[0]}; what moves {cells[1]}")
    return lines + (_value_lines(report) if "value" in report else ["value: the run has no value model"])


def _value_lines(report: dict[str, Any]) -> list[str]:
    value, recorded, lines = report["value"], report["recorded_chunks"], []
    area = value["auc_success_vs_failure"]
    lines.append(
        f"value: AUC of {value['episodes_success']} successes against {value['episodes_failure']} failures "
        + ("undefined" if area is None else f"{area:.3f} {_within(value['interval95_auc_success_vs_failure'])}")
    )
    for kind, found in value["by_failure"].items():
        name, cell = kind.replace("_", " ") or "no event", f"{found['auc']:.3f} {_within(found['interval95'])}"
        lines.append(f"  failures that end with {name}: {found['episodes']}, {cell}")
    lines.append(
        f"Eq. 2 on imagined and on recorded frames: correlation {recorded['advantage_correlation']:.2f}, "
        f"mean difference {recorded['advantage_error']:.3f}"
    )
    return lines


def _gain(dynamics: dict[str, Any], name: str) -> str:
    return f"{dynamics[name]:.2f} {_within(dynamics[f'interval95_{name}'])}"


def _within(interval: list[float]) -> str:
    return f"({interval[0]:.2f}-{interval[1]:.2f})"


def steps_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Few steps against quality."""
    if not rows:
        return []
    names = [key for key in rows[0] if key not in ("steps", "interval95")]
    lines = [f"{'Euler steps':12}" + "".join(f"{name.replace('advantage_', 'A '):>18}" for name in names)]
    return lines + [f"{row['steps']:<12}" + "".join(f"{row[name]:18.3f}" for name in names) for row in rows]

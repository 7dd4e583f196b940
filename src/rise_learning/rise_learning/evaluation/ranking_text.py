"""How chunks were ranked in the simulator, as lines for a terminal."""

from __future__ import annotations

from typing import Any

BOTH = ("imagined", "true_frames")


def ranking_lines(report: dict[str, Any]) -> list[str]:
    """Of a `ranking_report`; with the policy's own chunks where these were compared."""
    lines = [
        f"{report['pairs_that_differ']} of {report['pairs']} pairs from {report['states']} states differ "
        f"({report['share_that_differs']:.0%}); correlation of Eq. 2 on imagined and true frames "
        f"{report['correlation']:.2f}, within a state {report['correlation_within_state']:.2f}",
        f"{'expert above':16}{'pairs':>6}{'imagined':>22}{'true frames':>22}",
    ]
    for kind, of_imagined in report["by_kind_imagined"].items():
        found = of_imagined, report["by_kind_true_frames"][kind]
        cells = "".join(_cell(one["rate"], one["interval95"]) for one in found)
        lines.append(f"{kind:16}{found[0]['pairs']:6}{cells}")
    cells = "".join(_cell(report[f"advantage_auc_{name}"], report[f"interval95_{name}"]) for name in BOTH)
    lines.append(f"{'all':16}{report['pairs_that_differ']:6}{cells}")
    lines.append(f"{'pooled AUC':22}" + "".join(f"{report[f'pooled_auc_{name}']:11.3f}{'':11}" for name in BOTH))
    return lines + own_chunk_lines(report["own_chunks"]) if "own_chunks" in report else lines


def own_chunk_lines(own: dict[str, Any]) -> list[str]:
    """Of an `own_chunk_report`."""
    lines = [
        f"own chunks: {own['states']} states x {own['candidates']}, good {own['good_mean']:.1%}, best of them "
        f"{own['good_any']:.1%}"
    ]
    for name in BOTH:
        found = own[name]
        lines.append(
            f"  chosen by {name:12} AUC {found['auc']:.3f}, good {found['best']:.1%} "
            f"(+{found['gain']:.3f}, standard error {found['gain_se']:.3f})"
        )
    return lines


def _cell(rate: float, interval: list[float]) -> str:
    return f"{rate:10.3f} ({interval[0]:.2f}-{interval[1]:.2f})"

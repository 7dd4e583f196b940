"""Measure this machine: every figure as a ratio against an alternative that is measured in the same run.

    python -m rise_learning.bench                       # a table, and the same as one JSON object
    python -m rise_learning.bench --json --only pacing  # JSON alone, one benchmark

The ratio says how many times better than the alternative: below 1, the alternative wins. Costs and rates count CPU time
of one thread, because that does not change when the machine is busy; latency and lateness are wall time, and do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from tqdm import tqdm

from rise_learning import cli
from rise_learning.benchmarks import (
    control,
    imagination,
    lateness,
    models,
    recording,
    samples,
    simulation,
    transformer_policy,
)
from rise_learning.benchmarks.measure import Measurement
from rise_learning.benchmarks.workload import Workload, temporary_workload
from rise_worldmodel.precision import has_bfloat16

BENCHMARKS: dict[str, Callable[[Workload], list[Measurement]]] = {
    "ensembler": control.ensembler,
    "seams": control.seams,
    "pacing": control.pacing,
    "lateness": lateness.lateness,
    "simulation": simulation.simulation,
    "writing": recording.writing,
    "reading": recording.reading,
    "samples": samples.samples,
    "loading": samples.loading,
    "inference": models.inference,
    "train_step": models.train_step,
    "transformer_inference": transformer_policy.transformer_inference,
    "transformer_training": transformer_policy.transformer_training,
    "imagination": imagination.imagination,
    "imagination_cost": imagination.cost,
    "best_of": imagination.best_of,
}


def measure(names: Sequence[str]) -> dict[str, Any]:
    """Run benchmarks one after the other.

    Returns:
        `machine`: what it was measured on; `seconds`: how long it took; `results`: measurements by benchmark.
    """
    cli.use_threads(1)
    begun, load_before = time.monotonic(), os.getloadavg()[0]
    results = {}
    with temporary_workload() as workload:
        for name in tqdm(names, desc="bench", unit="benchmark", file=sys.stderr):
            results[name] = [found.to_plain() for found in BENCHMARKS[name](workload)]
    return {
        "machine": machine() | {"load_before": load_before, "load_after": os.getloadavg()[0]},
        "seconds": time.monotonic() - begun,
        "results": results,
    }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "threads": 1,
        "bfloat16": has_bfloat16(torch.device("cpu")),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "preset": "tiny",
    }


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """One line per figure."""
    lines = [f"{'benchmark':12s} {'what':60s} {'here':>10s} {'other':>10s} {'unit':8s} {'ratio':>7s}  alternative"]
    for name, rows in results.items():
        for row in rows:
            ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}x"
            lines.append(
                f"{name:12s} {row['quantity']:60s} {row['value']:10.4g} {row['alternative_value']:10.4g} "
                f"{row['unit']:8s} {ratio:>7s}  {row['alternative']}"
            )
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rise_learning.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME",
        help=f"benchmarks to run: {', '.join(BENCHMARKS)}")  # fmt: skip
    return parser.parse_args(arguments)


def bench(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    report = measure(options.only)
    if not options.json:
        print(table(report["results"]))
    print(json.dumps(report, indent=None if options.json else 2))


def main() -> None:
    cli.run(bench)


if __name__ == "__main__":
    main()

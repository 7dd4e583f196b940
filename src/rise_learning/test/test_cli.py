"""What the training commands have in common."""

import subprocess
import sys

FRESH_PAGES = """
import resource, sys, torch
from rise_learning import cli
if sys.argv[1] == "kept":
    cli.use_threads(1)
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fresh_pages(memory: str) -> int:
    """Pages that the kernel had to clear for the last of ten tensors of 64 MB.

    Not for the second or third: alignment can make the freed place some bytes too small for its successor, until two
    freed neighbours are one.
    """
    found = subprocess.run([sys.executable, "-c", FRESH_PAGES, memory], check=True, capture_output=True, text=True)
    return int(found.stdout)


def test_trainings_use_again_what_they_freed() -> None:
    assert fresh_pages("kept") < 100 < 10_000 < fresh_pages("returned")

"""Make the CMake files of the ROS wheels name this environment instead of the machine that built them.

The wheels export the include directories of their build machine's Python and numpy. Building an interface package
against them needs those of this environment. Run after every install; a second run changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

_BUILD_MACHINE = r"/opt/python/cp3\d+-cp3\d+"
_NUMPY_INCLUDE = re.compile(_BUILD_MACHINE + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")
_PYTHON_INCLUDE = re.compile(_BUILD_MACHINE + r"/include/python3\.\d+")


def patched(text: str) -> str:
    """`text` of a CMake file with the build machine's include directories replaced by ours."""
    text = _NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), text)
    return _PYTHON_INCLUDE.sub(lambda _: sysconfig.get_path("include"), text)


def main() -> int:
    """Patch every CMake file below <prefix>/share, the prefix being this interpreter's environment."""
    share = Path(sys.prefix) / "share"
    changed, foreign = 0, []
    for path in sorted(share.rglob("*.cmake")):
        before = path.read_text()
        after = patched(before)
        if after != before:
            path.write_text(after)
            changed += 1
        if re.search(_BUILD_MACHINE, after):
            foreign.append(path)
    print(f"patched {changed} CMake files under {share}")
    if foreign:
        names = "\n  ".join(str(path) for path in foreign)
        print(f"these still name the wheels' build machine, whose layout is unknown to this script:\n  {names}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

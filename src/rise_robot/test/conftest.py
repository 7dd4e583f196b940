"""Makes the helpers of this directory importable, also under pytest's importlib mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import settings

settings.register_profile("rise", deadline=None)  # a busy machine is no failure
settings.load_profile("rise")

"""Isolates test runs from other ROS 2 systems on the machine and from each other. Runs before any other import."""

from __future__ import annotations

import os

# Domains 1..101 are free of the ephemeral ports on Linux (ROS 2 documentation, "The ROS_DOMAIN_ID").
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("rise", deadline=None)  # behaviour, not speed: machines are busy
settings.load_profile("rise")

"""Training: one resumable loop, its run directory and its checkpoints."""

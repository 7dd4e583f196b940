"""Reinforcement learning in imagination: bins, imagined rollouts, buffer, self-improvement."""

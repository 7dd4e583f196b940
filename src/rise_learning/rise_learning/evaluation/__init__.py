"""Evaluation: episodes in the simulated robot, statistics, report."""

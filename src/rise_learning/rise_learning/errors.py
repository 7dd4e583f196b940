"""The error tree of rise_learning. Messages say what came, what was expected and what to do."""


class RiseLearningError(Exception):
    """Root of every error that this package raises on purpose."""


class DataError(RiseLearningError):
    """Bags hold too little, or not what a training needs."""


class CheckpointError(RiseLearningError):
    """A checkpoint is missing, incomplete or belongs to another model or contract."""


class ConfigError(RiseLearningError):
    """A preset or option does not exist or does not fit the others."""


class PolicyError(RiseLearningError):
    """A policy answered with something that no robot can execute."""


class EvaluationError(RiseLearningError):
    """An evaluation cannot start, or cannot go on: no robot, no policy, or another policy than asked for."""

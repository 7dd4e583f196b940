"""The error tree of rise_worldmodel. Messages say what came, what was expected and what to do."""


class WorldModelError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigError(WorldModelError):
    """A configuration contradicts itself."""


class ShapeError(WorldModelError):
    """A tensor does not have the shape or type that the configuration promises."""


class CheckpointError(WorldModelError):
    """A checkpoint is unreadable, incomplete, or made for another model."""

"""The error tree of rise_robot. Messages say what came, what was expected and what to do."""


class RiseRobotError(Exception):
    """Root of every error that this package raises on purpose."""


class ContractError(RiseRobotError):
    """A contract file is malformed or cannot be found."""


class ContractMismatchError(ContractError):
    """Two sides (bag, checkpoint, robot) do not share one contract."""


class CommandError(RiseRobotError):
    """A command or chunk is refused: NaN, wrong shape, wrong names, stale stamp."""


class BagError(RiseRobotError):
    """A bag is truncated, incomplete or lacks what the contract asks for."""


class SimulationError(RiseRobotError):
    """The simulated robot cannot be built or stepped as asked."""


class ChunkRefusedError(CommandError):
    """A chunk is well-formed but may not be executed; `reason` is one word for the counters.

    Reasons: late, duplicate, out_of_order, future, stale, dt, not_commanding.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ModeError(RiseRobotError):
    """A change of command authority is not allowed, e.g. out of a latched emergency stop."""


class ObservationError(RiseRobotError):
    """An observation cannot be given: a stream is missing, stale or malformed."""


class LaunchError(RiseRobotError):
    """The asked-for set of nodes cannot be started."""


class EpisodeError(RiseRobotError):
    """An episode cannot be started, ended or labelled as asked."""


class SafetyError(RiseRobotError):
    """What keeps the robot safe cannot be set up: a cell file that says nothing usable."""


class TeleoperationError(RiseRobotError):
    """An input device, its bindings or a leader arm cannot be used."""


class CameraError(RiseRobotError):
    """A camera source cannot be opened, or gives pictures that are not those of the contract."""


class FrameError(RiseRobotError):
    """A CAN frame cannot be read or written."""


class HardwareError(RiseRobotError):
    """An arm does not answer, cannot be enabled, or reports a fault."""


class JointCommandRefusedError(CommandError):
    """The driver does not execute a joint_command; `reason` is one word for the counters.

    Reasons: malformed, not_finite, stale, future, out_of_order, out_of_limits, jump, too_far, no_feedback, fault,
    not_active.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

"""When a person may take over and give back: as often as wanted, or once per episode (Sec. XI-E of RISE)."""

from __future__ import annotations

from rise_robot.core.errors import TeleoperationError
from rise_robot.core.supervisor import Mode


class Handover:
    """Who is to command.

    The paper's own protocol (`single`): "the human supervisor takes over upon imminent failure and completes the
    episode". Giving back is then refused until the episode has ended, and happens by itself at its end,
    unless the person has let go before: with hold, an emergency stop, or a device that was lost.

    Args:
        other: the mode that gets control back.
        single: the paper's protocol.

    Attributes:
        takeovers: in the running episode.
    """

    def __init__(self, other: Mode, *, single: bool = False) -> None:
        self._other, self._single = other, single
        self._episode, self._commanding = "", False
        self.takeovers = 0

    def taken(self) -> None:
        """A person commands from now on."""
        self.takeovers += 1
        self._commanding = True

    def left(self) -> None:
        """The person does not command any more: what stands still now is not set going by the end of an episode."""
        self._commanding = False

    def give_back(self) -> Mode:
        """Raises TeleoperationError where the protocol forbids it."""
        if self._single and self.takeovers and self._episode:
            raise TeleoperationError(
                "one take-over per episode: it is yours to its end; end it with success, failure or discard"
            )
        return self._other

    def on_episode(self, episode_id: str, running: bool) -> Mode | None:
        """An episode status arrived; the mode to ask for because of it, if any."""
        if running and episode_id != self._episode:
            self._episode, self.takeovers = episode_id, 0
        elif not running and episode_id == self._episode:
            self._episode = ""
            if self._single and self.takeovers and self._commanding:
                return self._other
        return None

"""Who commands: hand-over, suspension, controlled stop, latched emergency stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rise_robot.core.errors import ModeError
from rise_robot.core.supervisor import Mode, Supervisor

SECOND = 1_000_000_000


def test_missing_input_suspends_and_recovery_resumes() -> None:
    supervisor = Supervisor(stop_after_s=1.0)
    supervisor.request(Mode.POLICY, "operator")
    supervisor.report(0, "no chunk in time")
    assert (supervisor.commanding, supervisor.authority) == (Mode.HOLD, Mode.POLICY)
    assert supervisor.reason == "no chunk in time"
    supervisor.report(SECOND - 1, "")
    assert (supervisor.commanding, supervisor.reason) == (Mode.POLICY, "operator")
    supervisor.report(SECOND, "no chunk in time")
    assert supervisor.stops == 0, "the time without input starts anew after a recovery"


def test_long_absence_withdraws_authority() -> None:
    supervisor = Supervisor(stop_after_s=1.0)
    supervisor.request(Mode.POLICY, "operator")
    supervisor.report(5, "no chunk in time")
    supervisor.report(5 + SECOND, "no chunk in time")
    assert supervisor.authority is Mode.HOLD and supervisor.stops == 1
    assert supervisor.reason == "controlled stop: no chunk in time"
    supervisor.report(6 + SECOND, "")
    assert supervisor.commanding is Mode.HOLD, "only a request brings authority back"
    supervisor.request(Mode.POLICY, "again")
    assert supervisor.commanding is Mode.POLICY


def test_emergency_stop_latches_with_its_first_reason() -> None:
    supervisor = Supervisor(stop_after_s=1.0)
    supervisor.request(Mode.ESTOP, "button")
    supervisor.emergency_stop("second")
    for mode in (Mode.POLICY, Mode.HOLD, Mode.HUMAN, Mode.DEMO):
        with pytest.raises(ModeError, match="latched .button."):
            supervisor.request(mode, "operator")
    supervisor.clear_emergency_stop("operator")
    assert supervisor.commanding is Mode.HOLD
    with pytest.raises(ModeError, match="no emergency stop"):
        supervisor.clear_emergency_stop("operator")


@given(st.lists(st.sampled_from(["policy", "human", "demo", "hold", "fault", "fine", "estop", "clear"]), max_size=40))
def test_estop_ends_only_by_clearing(actions: list[str]) -> None:
    supervisor, latched, now = Supervisor(stop_after_s=0.5), False, 0
    for action in actions:
        now += SECOND // 5
        try:
            if action == "estop":
                supervisor.emergency_stop("button")
                latched = True
            elif action == "clear":
                supervisor.clear_emergency_stop("operator")
                latched = False
            elif action in ("fault", "fine"):
                supervisor.report(now, "fault" if action == "fault" else "")
            else:
                supervisor.request(Mode(action), "operator")
        except ModeError:
            assert latched or action == "clear"
        assert (supervisor.commanding is Mode.ESTOP) == latched
        assert supervisor.commanding in (supervisor.authority, Mode.HOLD)

"""Input devices: bytes of the kernel, keys of a terminal, and what they are bound to."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest
import yaml

from rise_robot.core.contract import config_path
from rise_robot.core.errors import TeleoperationError
from rise_robot.teleop.bindings import ACTIONS, MOTIONS, Bindings
from rise_robot.teleop.devices import InputEvent
from rise_robot.teleop.evdev import ABS_INFO, CONTROLS, EVENT, EvdevDevice, parse
from rise_robot.teleop.terminal import HOLD_S, HeldKeys, TerminalKeyboard, keys

BINDINGS = config_path("teleop_bindings.yaml")
KEY, ABS = 1, 3
RECORDED = bytes.fromhex(  # an Xbox pad on x86-64: stick up, A pressed and released, with the EV_SYN after each
    "0d5b2567000000001c590a0000000000030001000080ffff"
    "0d5b2567000000001c590a00000000000000000000000000"
    "0d5b256700000000a7960a00000000000100300101000000"
    "0d5b256700000000a7960a00000000000000000000000000"
    "0e5b25670000000011f70000000000000100300100000000"
)


def event(kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(0, 0, kind, code, value)


def test_bytes_of_the_kernel() -> None:
    assert EVENT.size == 24 and ABS_INFO.size == 24, "as on 64-bit Linux"
    assert parse(RECORDED, {}) == [
        InputEvent("ABS_Y", -1.0),
        InputEvent("BTN_SOUTH", 1.0),
        InputEvent("BTN_SOUTH", 0.0),
    ]


def test_axes_are_scaled_by_the_range_of_the_device() -> None:
    (stick,) = parse(event(ABS, 0, 255), {"ABS_X": (0, 255)})
    (trigger,) = parse(event(ABS, 5, 1023), {"ABS_RZ": (0, 1023)})
    (middle,) = parse(event(ABS, 0, 0), {"ABS_X": (-100, 100)})
    (hat,) = parse(event(ABS, 17, -1), {})
    assert (stick.value, trigger.value, middle.value, hat.value) == (1.0, 1.0, 0.0, -1.0)


def test_repetitions_and_unknown_codes_are_left_out() -> None:
    assert parse(event(KEY, 17, 2) + event(KEY, 0x2FF, 1) + event(2, 0, 5), {}) == []


def test_events_that_the_kernel_dropped_are_an_error() -> None:
    """A release may be among them; the arm would go on moving."""
    with pytest.raises(TeleoperationError, match="dropped"):
        parse(event(KEY, 17, 1) + event(0, 3, 0), {})


def test_what_was_pressed_before_events_were_dropped_is_heard(tmp_path: Path) -> None:
    """It may be the emergency stop."""
    os.mkfifo(tmp_path / "keys")
    device = EvdevDevice(tmp_path / "keys")
    with open(tmp_path / "keys", "wb", buffering=0) as feeder:
        feeder.write(event(KEY, 1, 1) + event(0, 3, 0) + event(KEY, 17, 1))
    assert device.poll() == [InputEvent("KEY_ESC", 1.0)]
    with pytest.raises(TeleoperationError, match="dropped"):
        device.poll()
    device.close()


def test_a_pipe_is_a_device_and_events_may_arrive_in_pieces(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pad")
    device = EvdevDevice(tmp_path / "pad")
    assert device.poll() == []
    with open(tmp_path / "pad", "wb", buffering=0) as feeder:
        feeder.write(event(KEY, 0x137, 1)[:10])
        assert device.poll() == []
        feeder.write(event(KEY, 0x137, 1)[10:])
    assert device.poll() == [InputEvent("BTN_TR", 1.0)]
    assert device.poll() == [], "a feeder that leaves is no end"
    device.close()


def test_devices_that_are_not_there_or_end_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TeleoperationError, match=r"no-pad: No such file.*by-id"):
        EvdevDevice(tmp_path / "no-pad")
    (tmp_path / "recorded").write_bytes(RECORDED)
    device = EvdevDevice(tmp_path / "recorded")
    assert len(device.poll()) == 3
    with pytest.raises(TeleoperationError, match="has ended"):
        device.poll()


def test_keys_of_a_terminal() -> None:
    assert keys("wW 1\x1b[A\x1b\t") == ["KEY_W", "KEY_W", "KEY_SPACE", "KEY_1", "KEY_UP", "KEY_ESC", "KEY_TAB"]


@pytest.mark.parametrize("home_or_f5", ["\x1b[1~", "\x1b[H", "\x1bOH", "\x1b[15~"])
def test_keys_without_a_name_stop_and_do_nothing_else(home_or_f5: str) -> None:
    """Their digits and letters would label the episode."""
    assert keys(f"{home_or_f5}w") == ["KEY_ESC", "KEY_W"]


def test_a_key_is_held_while_it_is_repeated() -> None:
    now = 0.0
    held = HeldKeys(lambda: now)
    assert held.update(["KEY_W"]) == [InputEvent("KEY_W", 1.0)]
    now += 0.5 * HOLD_S
    assert held.update(["KEY_W"]) == []
    now += 0.9 * HOLD_S
    assert held.update([]) == []
    now += 0.2 * HOLD_S
    assert held.update([]) == [InputEvent("KEY_W", 0.0)]


def test_a_terminal_is_read_and_given_back() -> None:
    person, terminal = pty.openpty()
    before = os.get_blocking(terminal)
    keyboard = TerminalKeyboard(lambda: 0.0, terminal)
    assert keyboard.poll() == []
    os.write(person, b"t")
    assert keyboard.poll() == [InputEvent("KEY_T", 1.0)]
    keyboard.close()
    assert os.get_blocking(terminal) == before
    os.close(person), os.close(terminal)


def test_what_is_no_terminal_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file, pytest.raises(TeleoperationError, match="terminal of its own"):
        TerminalKeyboard(lambda: 0.0, file.fileno())


@pytest.mark.parametrize("device", ["keyboard", "gamepad", "joy"])
def test_every_shipped_device_can_do_everything(device: str) -> None:
    bound = yaml.safe_load(BINDINGS.read_text())[device]
    Bindings.load(BINDINGS, device)
    assert set(ACTIONS) <= set(bound.values())
    for motion in MOTIONS:
        both = {f"{motion}+", f"{motion}-"} <= set(bound.values())
        stick = any(what[:-1] == motion and "A" in control[:2] for control, what in bound.items())
        assert both or stick or (device == "joy" and motion == "roll"), f"{device} cannot move {motion}"
    if device != "joy":
        assert set(bound) <= CONTROLS, "names that a device can send"


def test_sticks_have_a_dead_zone_and_keys_add_up() -> None:
    bindings = Bindings({"ABS_Y": "x-", "KEY_A": "y+", "KEY_D": "y-", "KEY_ESC": "emergency_stop"})
    for control, value in (("ABS_Y", 0.09), ("KEY_A", 1.0), ("KEY_D", 1.0)):
        assert bindings.feed(InputEvent(control, value)) is None
    assert not bindings.motion().any()
    bindings.feed(InputEvent("ABS_Y", -1.0))
    bindings.feed(InputEvent("KEY_D", 0.0))
    assert bindings.motion()[:2].tolist() == [1.0, 1.0]
    bindings.release()
    assert not bindings.motion().any()


def test_an_action_comes_once_per_press() -> None:
    bindings = Bindings({"BTN_TR": "take_over", "BTN_SELECT": "emergency_stop"})
    values = (1.0, 1.0, 0.0, 1.0)
    assert [bindings.feed(InputEvent("BTN_TR", v)) for v in values] == ["take_over", None, None, "take_over"]


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ({"KEY_W": "forwards"}, "KEY_W is bound to 'forwards'; known are take_over"),
        ({"KEY_W": "x+"}, "no control is bound to emergency_stop"),
    ],
)
def test_bindings_that_cannot_be_are_refused(bound: dict[str, str], message: str) -> None:
    with pytest.raises(TeleoperationError, match=message):
        Bindings(bound)


def test_bindings_of_an_unknown_device_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(TeleoperationError, match=r"teleop_bindings.yaml has no bindings of 'wheel'"):
        Bindings.load(BINDINGS, "wheel")

"""Numbers of a training that cannot be meant."""

import pytest

from rise_learning.cli import parse
from rise_learning.errors import ConfigError
from rise_learning.presets import PRESET_NAMES
from rise_learning.self_improve import Args
from rise_learning.training_settings import DynamicsTraining, SelfImprovement, ValueTraining


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (SelfImprovement, "offline_share"),
        (SelfImprovement, "failed_share"),
        (SelfImprovement, "minimum_trust"),
        (ValueTraining, "imagined_share"),
        (DynamicsTraining, "held_out"),
    ],
)
def test_percent_for_a_share_is_refused_before_anything_is_read(settings: type, name: str) -> None:
    """75 for 0.75 would draw from nothing but failures, or end hours later in numpy."""
    with pytest.raises(ConfigError, match=f"{name} is a share between 0 and 1, got 75"):
        settings(**{name: 75.0})
    with pytest.raises(ConfigError, match=name):
        settings(**{name: -0.1})


def test_the_command_line_says_so() -> None:
    """Flags build the settings again: what they refuse has to leave the parser as our own error."""
    flags = ["--bags", "b", "--init", "i", "--out", "o", "--training.failed-share", "75"]
    with pytest.raises(ConfigError, match="failed_share"):
        parse(Args.from_preset, PRESET_NAMES, flags)

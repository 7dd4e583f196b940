"""The order in which managed nodes are brought up and taken down."""

from __future__ import annotations

import pytest

from rise_robot.core.errors import LaunchError
from rise_robot.core.start_order import StartOrder


class Nodes:
    """Writes down what it is asked for; `failing` transitions fail."""

    def __init__(self, *failing: tuple[str, str]) -> None:
        self.failing, self.asked = failing, list[str]()

    def change(self, name: str, transition: str) -> str:
        self.asked.append(f"{transition} {name}")
        return "no power" if (name, transition) in self.failing else ""


def test_everything_is_configured_before_anything_is_activated() -> None:
    nodes = Nodes()
    order = StartOrder(["driver", "controller"], nodes.change)
    order.up()
    assert nodes.asked == ["configure driver", "configure controller", "activate driver", "activate controller"]
    nodes.asked.clear()
    assert order.down() == [] and order.down() == []
    assert nodes.asked == ["deactivate controller", "deactivate driver"], "who commands ends before what obeys, once"


def test_a_node_that_cannot_be_configured_leaves_all_inactive() -> None:
    nodes = Nodes(("controller", "configure"))
    with pytest.raises(LaunchError, match="controller did not configure: no power"):
        StartOrder(["driver", "controller", "policy"], nodes.change).up()
    assert nodes.asked == ["configure driver", "configure controller"]


def test_a_node_that_cannot_be_activated_takes_the_active_ones_down_again() -> None:
    nodes = Nodes(("policy", "activate"), ("controller", "deactivate"))
    order = StartOrder(["driver", "controller", "policy"], nodes.change)
    with pytest.raises(LaunchError, match="policy did not activate: no power; controller did not deactivate: no power"):
        order.up()
    assert nodes.asked[-2:] == ["deactivate controller", "deactivate driver"], "one failure keeps no other up"
    assert order.active == []

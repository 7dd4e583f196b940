"""What is started beside a running robot: arguments and nodes of record, policy and evaluate.launch.py, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rise_robot import node_table
from rise_robot.node_spec import NodeSpec


@dataclass(frozen=True)
class Argument:
    """One launch argument; without a default it has to be given."""

    name: str
    default: str | None
    help: str


COMMON = (
    Argument("contract", "contract.yaml", "Contract: a path, or a file name of the installed config/."),
    Argument("namespace", "", "Namespace of the robot."),
    Argument("use_sim_time", "false", "Follow /clock."),
)
RUN = Argument("run", None, "Run directory (its newest stage), or the directory of one policy.")
RECORD = (
    Argument("out", "bags/session", "Directory of the bag."),
    Argument("serve_episodes", "false", "Mark episodes (services episode/*): for real arms, which no simulator marks."),
    Argument("task", "", "Task of episodes that are started without one."),
    Argument("instruction", "", "What a policy is told in these; empty: the task's own instruction."),
    *COMMON,
)
POLICY = (RUN, *COMMON)
EVALUATE = (
    RUN,
    Argument("episodes", "20", "Episodes."),
    Argument("seed", str(node_table.EVALUATION_SEED), "Seed of the first episode; the next ones count up."),
    *COMMON,
)


def record_nodes(values: Mapping[str, str]) -> tuple[NodeSpec, ...]:
    """The recorder, from the text of RECORD."""
    served = values["serve_episodes"].lower() == "true"
    marks = node_table.episode_marks(values["task"], values["instruction"]) if served else {}
    return (node_table.recorder(values["out"], _common(values), marks),)


def policy_nodes(values: Mapping[str, str]) -> tuple[NodeSpec, ...]:
    """The policy of a run, from the text of POLICY."""
    return (node_table.policy(values["run"], _common(values)),)


def evaluate_nodes(values: Mapping[str, str]) -> tuple[NodeSpec, ...]:
    """The evaluator, from the text of EVALUATE."""
    episodes, seed = int(values["episodes"]), int(values["seed"])
    return (node_table.evaluator(values["run"], episodes, seed, _common(values)),)


def _common(values: Mapping[str, str]) -> dict[str, Any]:
    return {"contract": values["contract"], "use_sim_time": values["use_sim_time"].lower() == "true"}

"""What dynamics are told of a chunk: the same for recorded and for proposed ones, and kept in the checkpoint."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import make_set

from rise_learning.data.dynamics_inputs import DynamicsInputs
from rise_learning.data.last_recorded import LastRecorded
from rise_learning.data.normalizer import Normalizer
from rise_learning.data.seen_joints import SeenJoints
from rise_learning.errors import ConfigError
from rise_learning.training.world_model_io import load_inputs, save_trained
from rise_robot.core.contract import Contract, config_path
from rise_robot.core.tracking import NEVER, JointTracking
from rise_robot.sim.control_maps import ControlMapRenderer
from rise_worldmodel.config import tiny_dynamics
from rise_worldmodel.dynamics import MultiViewDynamics
from rise_worldmodel.errors import ShapeError

TINY = Contract.load(config_path("contract_tiny.yaml"))
CONFIG = dataclasses.replace(tiny_dynamics(TINY.action_dim), control_maps=True)


@pytest.fixture(scope="module")
def inputs() -> DynamicsInputs:
    return DynamicsInputs(TINY, CONFIG, Normalizer(TINY.action_dim), JointTracking((0.5,) * TINY.action_dim))


def poses(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    low, high = TINY.joint_array("lower"), TINY.joint_array("upper")
    state = rng.uniform(low, high, (batch, TINY.action_dim))
    chunks = np.repeat(rng.uniform(low, high, (batch, 1, TINY.action_dim)), TINY.chunk_size, axis=1)
    return torch.from_numpy(state.astype(np.float32)), torch.from_numpy(chunks.astype(np.float32))


def test_maps_begin_where_the_robot_is_and_end_where_it_is_sent(inputs: DynamicsInputs) -> None:
    state, chunks = poses(2)
    maps = inputs(state, chunks).maps
    assert maps is not None and maps.shape == (2, len(CONFIG.map_steps), 3, 48, 64, 3)
    there = inputs(chunks[:, -1], chunks).maps
    assert there is not None
    np.testing.assert_array_equal(maps[:, -1], there[:, -1])  # 25 frames later the lag is over
    assert (maps[:, 0] != there[:, 0]).any(), "the first map shows the state, not the target"


def test_dynamics_with_maps_refuse_to_go_without(inputs: DynamicsInputs) -> None:
    model = MultiViewDynamics(CONFIG)
    state, chunks = poses(1)
    context = torch.zeros(1, 4, 3, 48, 64, 3, dtype=torch.uint8)
    told = inputs(state, chunks)
    with pytest.raises(ShapeError, match="control_maps is True, but maps are absent"):
        model.sample(context, told.actions, told.state)
    assert model.sample(context, told.actions, told.state, maps=told.maps).shape == (1, 25, 3, 48, 64, 3)


def test_conditions_travel_with_the_checkpoint(inputs: DynamicsInputs, tmp_path: Path) -> None:
    save_trained(tmp_path, MultiViewDynamics(CONFIG), TINY, **inputs.texts())
    loaded = load_inputs(tmp_path, TINY, CONFIG)
    told, again = inputs(*poses(1)), loaded(*poses(1))
    assert told.maps is not None and again.maps is not None and torch.equal(told.maps, again.maps)
    assert torch.equal(told.actions, again.actions)


def test_what_is_known_of_the_robot_travels_with_the_checkpoint(inputs: DynamicsInputs, tmp_path: Path) -> None:
    """A gripper that is held stays, and what frames show of it is believed, in imagination as when it was fitted."""
    gripper, pictures = 6, np.zeros((3 * 12 * 16 * 3, 1))
    seen = SeenJoints((gripper,), pictures, np.array([0.05]), np.array([0.001]), np.array([[0.0], [0.07]]))
    tracking = JointTracking((0.5,) * 14, (NEVER,) * gripper + (0.008,) + (NEVER,) * 7)
    known = dataclasses.replace(inputs, tracking=tracking, seen_joints=seen)
    save_trained(tmp_path, MultiViewDynamics(CONFIG), TINY, **known.texts())
    loaded = load_inputs(tmp_path, TINY, CONFIG)
    assert loaded.tracking == tracking
    state, commands = np.full((1, 14), 0.04), np.full((1, 50, 14), 0.02)
    told = loaded.joints(state, commands)
    assert told[0, -1, gripper] == 0.04 and told[0, -1, 0] == pytest.approx(0.02, abs=1e-4)
    frames = np.zeros((1, 25, 3, 48, 64, 3), np.uint8)
    shown = loaded.joints_at(state, commands[:, :10], frames)
    assert shown.shape == (1, 5, 14) and (shown[..., gripper] == 0.05).all()
    np.testing.assert_array_equal(shown[..., 0], told[:, 1:10:2, 0])


def test_the_robot_is_that_of_the_episodes_whatever_the_base_knew(inputs: DynamicsInputs) -> None:
    episodes = make_set(TINY)
    known = inputs.of_robot(episodes)
    assert known.tracking == JointTracking.fit([(e.state, e.action) for e in episodes.episodes]) != inputs.tracking
    assert known.normalizer is inputs.normalizer and known.config is inputs.config


def test_maps_with_objects_need_the_last_frame_and_travel_with_the_checkpoint(
    inputs: DynamicsInputs, tmp_path: Path
) -> None:
    showing = dataclasses.replace(inputs, belt_speed=0.1)
    state, chunks = poses(1)
    with pytest.raises(ConfigError, match="need the frame that was last recorded"):
        showing(state, chunks)
    empty = inputs(state, chunks)
    assert empty.maps is not None
    seen = empty.maps[:, 0].clone()
    seen[:, 0, :, :, 0] = 255  # red wherever the first camera looks, so also on the belt
    save_trained(tmp_path, MultiViewDynamics(CONFIG), TINY, **showing.texts())
    recorded = LastRecorded.now(seen, state)
    maps = load_inputs(tmp_path, TINY, CONFIG)(state, chunks, None, recorded).maps
    assert maps is not None and maps.shape == empty.maps.shape
    assert (maps[0, 0, 0, :, :, 0].int() - empty.maps[0, 0, 0, :, :, 0] > 100).any()
    later = showing(state, chunks, None, recorded.later(60, state[:, None].repeat(1, 30, 1))).maps
    assert later is not None and not torch.equal(later[:, :1], maps[:, :1]), "the belt has gone on for two seconds"
    assert inputs.belt_speed is None and load_inputs(tmp_path, TINY, CONFIG).belt_speed == 0.1


def test_objects_of_known_size_are_drawn_as_boxes_and_keep_their_size(inputs: DynamicsInputs, tmp_path: Path) -> None:
    pictures = dataclasses.replace(inputs, belt_speed=0.1)
    boxes = dataclasses.replace(pictures, object_size=(0.052, 0.04, 0.04))
    state, chunks = poses(1)
    empty = inputs(state, chunks).maps
    assert empty is not None
    seen = empty[:, 0].clone()
    belt = next(ControlMapRenderer(TINY, (CONFIG.height, CONFIG.width)).shots(state.numpy()))[0].belt
    row, column = (int(np.median(numbers)) for numbers in np.nonzero(belt[:, : CONFIG.width // 2]))
    seen[0, 0, row : row + 4, column - 1 : column + 2] = torch.tensor([250, 0, 0], dtype=torch.uint8)
    save_trained(tmp_path, MultiViewDynamics(CONFIG), TINY, **boxes.texts())
    loaded = load_inputs(tmp_path, TINY, CONFIG)
    assert loaded.object_size == boxes.object_size
    drawn, carried = (one(state, chunks, None, LastRecorded.now(seen, state)).maps for one in (loaded, pictures))
    assert drawn is not None and carried is not None and not torch.equal(drawn, carried)


def test_objects_have_a_size(inputs: DynamicsInputs) -> None:
    with pytest.raises(ConfigError, match="each above 0"):
        inputs.showing_objects(make_set(TINY), 0, (0.05, 0.0, 0.04))


def test_peers_without_maps_cannot_show_objects(inputs: DynamicsInputs) -> None:
    blind = dataclasses.replace(inputs, config=tiny_dynamics(TINY.action_dim))
    with pytest.raises(ConfigError, match="only where there are control maps"):
        blind.showing_objects(make_set(TINY), 0)

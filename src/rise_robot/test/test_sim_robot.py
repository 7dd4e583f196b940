"""The simulated robot repeats itself exactly, refuses bad actions and shows what its cameras should see."""

import pickle

import numpy as np
import pytest

from rise_robot.core.contract import Contract, config_path
from rise_robot.core.errors import SimulationError
from rise_robot.sim.brick_sorting import BrickSortingConfig
from rise_robot.sim.episode import run_episode
from rise_robot.sim.expert import BrickSortingExpert, Corruption
from rise_robot.sim.robot import DIVERGED, SimulatedRobot
from rise_robot.sim.scene import COLOURS

CONTRACT = Contract.load(config_path("contract_tiny.yaml"))
CONFIG = BrickSortingConfig(bricks=(1, 3))


@pytest.fixture(scope="module")
def robot():
    robot = SimulatedRobot(CONTRACT, config=CONFIG)
    yield robot
    robot.close()


def physical_trace(robot, expert, periods):
    """Everything that a future could differ in: actions, joints, bricks, progress, score, events."""
    trace = []
    for _ in range(periods):
        if robot.outcome != "running":
            break
        action = expert.action()
        result = robot.step(action)
        bricks = [np.append(b.view.position, b.view.speed) for b in robot.task.bricks]
        numbers = np.concatenate([action, robot.joint_positions, robot.joint_efforts, *bricks, [robot.progress()]])
        trace.append((numbers.tobytes(), result, robot.score, robot.consequences()))
    return trace


def noisy_expert(robot):
    return BrickSortingExpert(robot, np.random.default_rng(1), Corruption(joint_noise=0.02, drop=True, probability=0.5))


def test_same_seed_gives_the_same_episode_and_another_seed_another(robot):
    def first(seed):
        robot.reset(seed)
        return physical_trace(robot, noisy_expert(robot), 60)

    assert first(11) == first(11)
    assert first(11) != first(12)


def test_commands_in_the_precision_of_data_sets_replay_an_episode_to_the_bit(robot):
    """One rollout of a hundred strayed in its replay: what the last digits moved in a contact, a second one lost."""
    rng = np.random.default_rng(0)

    def played(commands):
        robot.reset(11)
        for command in commands:
            robot.step(command)
        return robot.get_state().physics.tobytes()

    commands = 0.2 * rng.standard_normal((20, len(robot.joint_positions))).cumsum(0)
    as_recorded = commands.astype(np.float32)
    assert (commands != as_recorded).any()
    assert played(commands) == played(as_recorded)


def test_seeds_vary_what_the_task_promises(robot):
    setups = []
    for seed in range(20):
        robot.reset(seed)
        setups.append(robot.task.setup)
    speeds = [setup.belt_speed for setup in setups]
    assert 0.05 <= min(speeds) < 0.08 and 0.12 < max(speeds) <= 0.15
    assert {len(setup.bricks) for setup in setups} == {1, 2, 3}
    assert {brick.colour for setup in setups for brick in setup.bricks} == set(COLOURS)
    assert {setup.bricks[0].arm for setup in setups} == {"left", "right"}
    assert len({setup.lighting for setup in setups}) == 20


@pytest.mark.parametrize("after", [1, 45, 70])
def test_restored_state_has_a_bit_identical_future(robot, after):
    robot.reset(5)
    expert = noisy_expert(robot)
    physical_trace(robot, expert, after)
    state, memory = pickle.loads(pickle.dumps(robot.get_state())), expert.get_state()
    future = physical_trace(robot, expert, 90)
    robot.reset(6)  # another belt speed, lighting and number of bricks
    robot.set_state(state)
    expert.set_state(memory)
    assert physical_trace(robot, expert, 90) == future

    other = SimulatedRobot(CONTRACT, config=CONFIG)
    other.set_state(state)
    copy = noisy_expert(other)
    copy.set_state(memory)
    assert physical_trace(other, copy, 90) == future


def test_restored_state_shows_the_same_picture(robot):
    robot.reset(8)
    before, state = robot.render(["top"])["top"], robot.get_state()
    robot.reset(9)
    assert not np.array_equal(robot.render(["top"])["top"], before)
    robot.set_state(state)
    assert np.array_equal(robot.render(["top"])["top"], before)


@pytest.mark.parametrize(
    "action", [np.full(14, np.nan), np.zeros(13), np.zeros((1, 14)), np.array([np.inf] + [0.0] * 13)]
)
def test_bad_actions_are_refused_and_move_nothing(robot, action):
    robot.reset(0)
    before = robot.joint_positions
    with pytest.raises(SimulationError, match="finite"):
        robot.step(action)
    assert np.array_equal(robot.joint_positions, before) and robot.time == 0.0


def test_values_outside_the_limits_are_clipped_and_counted(robot):
    robot.reset(0)
    action = robot.command
    action[0], action[6] = 9.0, -1.0
    robot.step(action)
    assert robot.limit_hits == 2
    assert robot.command[0] == CONTRACT.joints[0].upper and robot.command[6] == 0.0


@pytest.mark.parametrize("velocity", [np.nan, 1e12])
def test_physics_that_diverges_ends_the_episode_where_it_was(robot, velocity, tmp_path, monkeypatch):
    """MuJoCo puts arms and bricks back to where the model has them, warns in a file and goes on."""
    monkeypatch.chdir(tmp_path)
    robot.reset(3)
    physical_trace(robot, noisy_expert(robot), 40)
    sound, joints = robot.get_state(), robot.joint_positions
    robot.task.data.joint("brick_1").qvel[0] = velocity
    result = robot.step(robot.command)
    assert result.outcome == robot.outcome == "failure"
    assert robot.failure_reason == result.events[-1].subject == DIVERGED
    assert np.array_equal(robot.joint_positions, joints)
    with pytest.raises(SimulationError, match="failure"):
        robot.step(robot.command)

    other = robot.get_state()
    robot.set_state(sound)
    assert robot.step(robot.command).outcome == "running"
    robot.set_state(other)
    assert robot.failure_reason == DIVERGED
    robot.reset(3)
    assert robot.outcome == "running" and not robot.failure_reason


def test_an_episode_that_is_over_takes_no_more_actions(robot):
    quick = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1, time_limit=0.1))
    for _ in range(3):
        outcome = quick.step(quick.command).outcome
    assert outcome == "failure"
    with pytest.raises(SimulationError, match="reset"):
        quick.step(quick.command)


def test_unknown_task_camera_and_contract_name_what_exists(robot):
    with pytest.raises(SimulationError, match="brick_sorting"):
        SimulatedRobot(CONTRACT, task="juggling")
    with pytest.raises(SimulationError, match="wrist_left"):
        robot.render(["belly"])
    with pytest.raises(SimulationError, match="bricks"):
        BrickSortingConfig(bricks=5)


def test_recording_has_one_more_observation_than_commands_and_frames_at_camera_rate(robot):
    recording = run_episode(robot, BrickSortingExpert(robot), seed=2)
    steps = len(recording.commands)
    assert len(recording.joint_positions) == steps + 1 == len(recording.progress)
    for camera in CONTRACT.cameras:
        stamps, frames = recording.frames(camera.name)
        assert frames.shape == (steps // 2 + 1, camera.height, camera.width, 3)
        assert np.abs(np.diff(stamps) - 1e9 / camera.rate_hz).max() <= 1
    assert np.array_equal(recording.commands, recording.clean_commands)
    assert recording.ticks[-1].command is None and recording.ticks[-1].stamp == round(steps / 30 * 1e9)


def test_clean_commands_are_the_ones_without_noise(robot):
    expert = BrickSortingExpert(robot, np.random.default_rng(0), Corruption(joint_noise=0.01))
    recording = run_episode(robot, expert, seed=2, render=False)
    noise = (recording.commands - recording.clean_commands)[20:, :6]
    assert 0.005 < noise.std() < 0.015
    assert np.abs(np.diff(recording.clean_commands, axis=0)[:, :6]).max() < 1.9 / 30


def test_no_picture_is_drawn_before_one_is_asked_for():
    robot = SimulatedRobot(CONTRACT, config=BrickSortingConfig(bricks=1))
    run_episode(robot, BrickSortingExpert(robot), seed=0, render=False)
    assert not robot._renderer._renderers


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_top_camera_sees_every_brick_where_the_intrinsics_say(robot, seed):
    robot.reset(seed)
    image, matrix = robot.render(["top"])["top"].astype(int), robot.intrinsics("top")
    camera = robot.task.data.camera("top")
    for brick in robot.task.bricks[:2]:
        # MuJoCo cameras look along -z with y up; the pinhole looks along +z with y down.
        x, y, z = camera.xmat.reshape(3, 3).T @ (brick.view.position - camera.xpos) * (1, -1, -1)
        u, v, _ = matrix @ (x / z, y / z, 1.0)
        colour = np.array(COLOURS[brick.record.spec.colour])
        patch = image[int(v) - 2 : int(v) + 3, int(u) - 2 : int(u) + 3].reshape(-1, 3)
        likeness = patch @ colour / (np.linalg.norm(patch, axis=1) * np.linalg.norm(colour))
        assert likeness.min() > 0.97


def test_arms_at_the_start_leave_the_work_area_visible(robot):
    """Making the arms invisible changes no pixel of the top view at the start pose."""
    robot.reset(4)
    seen = robot.render(["top"])["top"]
    model = robot.task.model
    arms = [g for g in range(model.ngeom) if model.body(model.geom_bodyid[g]).name.startswith(("left", "right"))]
    model.geom_rgba[arms, 3] = 0.0
    without = robot.render(["top", "wrist_left"])
    model.geom_rgba[arms, 3] = 1.0
    assert np.array_equal(seen, without["top"])
    assert not np.array_equal(robot.render(["wrist_left"])["wrist_left"], without["wrist_left"])

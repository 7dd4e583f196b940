"""Publishes what a simulated robot senses: joint states and, at camera rate, images with their camera_info."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from rise_robot.core.contract import CameraSpec, Contract
from rise_robot.core.errors import ContractError
from rise_robot.core.images import encode_jpeg
from rise_robot.nodes import conversions, qos
from rise_robot.sim.robot import SimulatedRobot


class CameraPublisher:
    """One camera's three topics. Images are rendered and encoded only while somebody subscribes."""

    def __init__(self, node: Node, camera: CameraSpec, contract: Contract, intrinsics: np.ndarray) -> None:
        stride = contract.control_rate_hz / camera.rate_hz
        if abs(stride - round(stride)) > 1e-9:
            raise ContractError(f"camera {camera.name}: {camera.rate_hz} Hz must divide {contract.control_rate_hz} Hz")
        self._camera, self._stride, self._quality = camera, round(stride), contract.jpeg_quality
        self._intrinsics = intrinsics
        self._raw = node.create_publisher(Image, camera.topic, qos.SENSOR)
        self._jpeg = node.create_publisher(CompressedImage, camera.compressed_topic, qos.SENSOR)
        self._info = node.create_publisher(CameraInfo, camera.info_topic, qos.SENSOR)

    def publish(self, robot: SimulatedRobot, stamp_ns: int, step: int) -> None:
        if step % self._stride:
            return
        self._info.publish(conversions.camera_info(self._camera, stamp_ns, self._intrinsics))
        raw, jpeg = self._raw.get_subscription_count() > 0, self._jpeg.get_subscription_count() > 0
        if not (raw or jpeg):
            return
        frame = robot.render([self._camera.name])[self._camera.name]
        if jpeg:
            self._jpeg.publish(conversions.compressed(self._camera, stamp_ns, encode_jpeg(frame, self._quality)))
        if raw:
            self._raw.publish(conversions.image(self._camera, stamp_ns, frame))


class RobotSensors:
    """All sensors of one simulated robot."""

    def __init__(self, node: Node, robot: SimulatedRobot) -> None:
        self._robot, self._contract = robot, robot.contract
        self._joints = node.create_publisher(JointState, "joint_states", qos.SENSOR)
        self._cameras = [
            CameraPublisher(node, camera, robot.contract, robot.intrinsics(camera.name))
            for camera in robot.contract.cameras
        ]

    def warm_up(self) -> None:
        """The first frames make OpenGL contexts and thread pools, which takes longer than a control period."""
        for _ in range(2):
            for frame in self._robot.render().values():
                encode_jpeg(frame, self._contract.jpeg_quality)

    def publish_joints(self, stamp_ns: int) -> None:
        """Joint states, stamped with the instant that they show."""
        robot = self._robot
        self._joints.publish(
            conversions.joint_state(
                self._contract, stamp_ns, robot.joint_positions, robot.joint_velocities, robot.joint_efforts
            )
        )

    def publish_frames(self, stamp_ns: int, step: int) -> None:
        """The cameras that are due at control step `step`."""
        for camera in self._cameras:
            camera.publish(self._robot, stamp_ns, step)

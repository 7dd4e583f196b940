# The robot's side and the policy on ROS 2 Jazzy from apt. Build from the top of the repository:
#   docker build -f docker/Dockerfile.robot -t rise-robot .
FROM ros:jazzy-ros-base

WORKDIR /rise
COPY requirements requirements
COPY scripts scripts
COPY config config
COPY launch launch
COPY src src
COPY LICENSE README.md env.sh ./
COPY docker/entrypoint.sh docker/entrypoint.sh

# e.g. --build-arg INSTALL_OPTIONS="--no-learning" for a PC that only drives the robot
ARG INSTALL_OPTIONS=""
RUN scripts/install_apt.sh ${INSTALL_OPTIONS} && rm -rf /var/lib/apt/lists/* /root/.cache build log

ENV RISE_WAY=apt MUJOCO_GL=egl
ENTRYPOINT ["/rise/docker/entrypoint.sh"]
CMD ["ros2", "launch", "rise_robot", "bringup.launch.py", "hardware:=sim", "task:=brick_sorting"]

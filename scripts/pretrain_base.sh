#!/usr/bin/env bash
# Makes the pre-trained dynamics that ship in src/rise_learning/rise_learning/base (4.6 MB, preset tiny):
#   scripts/pretrain_base.sh [WORK_DIRECTORY]        about 45 minutes on two CPU cores
# 950 episodes of an expert with noise and deliberate failures, 200 of them wildly noisy, one and two bricks, on seeds
# that nothing else in the project uses; then one training from scratch, stored in half precision.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=${1:-$root/runs/base}
# shellcheck source=/dev/null
. "$root/env.sh"

collect() { # collect NAME FLAGS...
    [ -e "$work/bags/$1/metadata.yaml" ] ||
        python -m rise_robot.collect --kind rollout --workers 2 --out "$work/bags/$1" "${@:2}"
}

mkdir -p "$work/bags"
collect one_brick --episodes 500 --seed 2000000 --noise 0 0.03 --corruption-rate 0.6
collect two_bricks --episodes 250 --seed 2100000 --bricks 2 --noise 0 0.03 --corruption-rate 0.5
collect noisy --episodes 200 --seed 2200000 --noise 0.03 0.3 --corruption-rate 0.3

python -m rise_learning.train_dynamics --bags "$work/bags" --preset tiny --base none --out "$work" \
    --training.loop.steps 6000 --training.tasks-per-batch 0
python -m rise_learning.ship_base --run "$work"

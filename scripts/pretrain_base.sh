#!/usr/bin/env bash
# Makes the pre-trained dynamics that ship in src/rise_learning/rise_learning/base (4.7 MB, preset tiny):
#   scripts/pretrain_base.sh [WORK_DIRECTORY]        about two hours on two CPU cores
# 1,600 episodes on seeds that nothing else in the project uses: an expert with noise and deliberate failures who never
# notices how a grasp ended, one and two bricks, 200 episodes wildly noisy, and open-loop chunks of a small policy; then
# one training from scratch, stored in half precision.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=${1:-$root/runs/base}
# shellcheck source=/dev/null
. "$root/env.sh"
# shellcheck source=scripts/record_once.sh
. "$root/scripts/record_once.sh"

collect() { collect_once "$work/bags/$1" "${@:2}"; } # collect NAME FLAGS...

mkdir -p "$work/bags"
blind=(--kind rollout --blind --grasp-offset 0 0.06)
collect one_brick "${blind[@]}" --episodes 700 --seed 2400000 --noise 0 0.03 --corruption-rate 0.8 \
    --corruption-probability 1 --corruptions grasp_offset grasp_offset grasp_offset wrong_bin drop no_close
collect two_bricks "${blind[@]}" --episodes 200 --seed 2500000 --bricks 2 --noise 0 0.03 --corruption-rate 0.8 \
    --corruptions grasp_offset grasp_offset wrong_bin drop no_close
collect noisy "${blind[@]}" --episodes 200 --seed 2600000 --noise 0.03 0.3 --corruption-rate 0.3
collect demonstrations --episodes 80 --seed 2700000 --noise 0 0.015
python -m rise_learning.train_policy --bags "$work/bags/demonstrations" --imitation --out "$work" \
    --training.loop.steps 1200
record_once "$work/bags/open_loop" "$work/imitation/model.safetensors" \
    python -m rise_learning.evaluate --run "$work/imitation" --episodes 500 --seed 2800000 \
    --deployment.replan-steps 48 --record "$work/bags/open_loop" --out "$work/open_loop.json"

python -m rise_learning.train_dynamics --bags "$work/bags" --preset tiny --base none --out "$work" \
    --training.loop.steps 12000 --training.tasks-per-batch 0
python -m rise_learning.ship_base --run "$work"

#!/usr/bin/env bash
# What docs/decisions/0008 reports: a policy of 30 imprecise demonstrations improves itself with the simulator as world model.
#   scripts/self_improvement.sh [WORK_DIRECTORY] [SEED]        two hours of one CPU core; continues where it was
# Evaluations are of 200 episodes each on seeds that nothing else uses.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
seed=${2:-0}
work=${1:-$root/runs/self_improvement}
run=$work/seed_$seed
# shellcheck source=/dev/null
. "$root/env.sh"
mkdir -p "$work/bags" "$run"

[ -e "$work/bags/demonstrations/metadata.yaml" ] ||
    python -m rise_robot.collect --level steady --imprecision 0.02 --episodes 30 --seed 0 --out "$work/bags/demonstrations"
# 10,000 steps: fewer leave imitation with something to gain that needs no imagination
python -m rise_learning.train_policy --preset small --bags "$work/bags/demonstrations" --imitation --out "$run" --seed "$seed"
[ -e "$work/bags/rollouts_$seed/metadata.yaml" ] ||
    python -m rise_learning.evaluate --run "$run/imitation" --level steady --episodes 400 --seed 6000000 \
        --record "$work/bags/rollouts_$seed" --out "$run/rollouts.json"
bags=("$work/bags/demonstrations" "$work/bags/rollouts_$seed")
python -m rise_learning.train_value --bags "${bags[@]}" --out "$run" --seed "$seed"
python -m rise_learning.train_policy --bags "${bags[@]}" --out "$run" --init "$run/imitation" --seed "$seed" \
    --training.loop.steps 1000 --training.loop.learning-rate 5e-4
python -m rise_learning.self_improve --preset small --bags "${bags[@]}" --out "$run" --seed "$seed" \
    --world-model simulator --level steady \
    --training.guided-chunks 12 --training.start-frames 30 --training.candidates 12 --training.judged-frames 3 \
    --training.time-shift 14 --training.tool-shift 0.02 --training.offline-share 0.2 \
    --training.rollout-every 2500 --training.starts-per-rollout 200 --training.buffer-size 65536 \
    --training.loop.learning-rate 1e-3 --training.loop.checkpoint-every 2500 --training.loop.steps 7500
for stage in imitation policy self_improved; do
    for noise in 1 0; do
        python -m rise_learning.evaluate --run "$run/$stage" --level steady --episodes 200 --seed 7000000 --json \
            --deployment.noise-scale "$noise" --out "$run/$stage/evaluation_noise_$noise.json"
    done
done

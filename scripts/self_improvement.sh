#!/usr/bin/env bash
# A policy of 30 imprecise demonstrations improves itself, with the simulator as world model (docs/decisions/0010) or with a
# learned one (0009); what both need is made once.
#   scripts/self_improvement.sh [WORK_DIRECTORY] [SEED] [simulator|learned]     two hours of one CPU core; learned: three
# Continues where it was. The learned world model is trained on explored rollouts besides: early, late and beside.
# Evaluations are of 200 episodes each on seeds that nothing else uses.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
seed=${2:-0}
world_model=${3:-simulator}
work=${1:-$root/runs/self_improvement}
run=$work/seed_$seed
improved=$run/$world_model
# shellcheck source=/dev/null
. "$root/env.sh"
mkdir -p "$work/bags" "$improved"

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
explored=(--training.time-shift 14 --training.tool-shift 0.02)
case $world_model in
simulator)
    # whole episodes; those that the policy masters alone need no leading (docs/decisions/0010)
    led=(--level steady --training.guided-chunks 12 --training.start-frames 6 --training.judged-frames 3 --training.rehearse
        --training.starts-per-rollout 500 --training.rollout-every 4000 --training.loop.steps 20000) ;;
learned)
    [ -e "$work/bags/explored_$seed/metadata.yaml" ] ||
        python -m rise_learning.evaluate --run "$run/imitation" --level steady --episodes 600 --seed 6100000 \
            --deployment.time-shift 14 --deployment.tool-shift 0.02 --record "$work/bags/explored_$seed" --out "$run/explored.json"
    python -m rise_learning.train_value --bags "${bags[@]}" "$work/bags/explored_$seed" --out "$improved" --seed "$seed"
    python -m rise_learning.train_dynamics --bags "${bags[@]}" "$work/bags/explored_$seed" --out "$improved" --seed "$seed" \
        --map-objects --training.value-weight 2 --training.loop.steps 5500
    # short imagined episodes: from recorded frames well before the fingers close (0013), and what goes well counts
    led=(--training.guided-chunks 3 --training.start-frames 8 --training.judged-frames 12 --training.minimum-rise 0.05
        --training.starts-per-rollout 400 --training.rollout-every 2500 --training.loop.steps 12500) ;;
*)
    echo "the world model is simulator or learned, not $world_model" >&2
    exit 2 ;;
esac
[ -e "$improved/value" ] || ln -s ../value "$improved/value"
python -m rise_learning.self_improve --preset small --bags "${bags[@]}" --init "$run/policy" --out "$improved" --seed "$seed" \
    --world-model "$world_model" "${led[@]}" "${explored[@]}" --training.candidates 12 --training.offline-share 0.2 \
    --training.buffer-size 65536 --training.loop.learning-rate 1e-3 --training.loop.checkpoint-every 2000
for policy in "$run/imitation" "$run/policy" "$improved/self_improved"; do
    for noise in 1 0; do
        python -m rise_learning.evaluate --run "$policy" --level steady --episodes 200 --seed 7000000 --json \
            --deployment.noise-scale "$noise" --out "$policy/evaluation_noise_$noise.json"
    done
done

#!/usr/bin/env bash
# A policy of 30 imprecise demonstrations improves itself, with the simulator as world model (docs/decisions/0010) or with a
# learned one (0020; that of 0013 and 0015 is at commit 1e5ad16); what both need is made once.
#   scripts/self_improvement.sh [WORK_DIRECTORY] [SEED] [simulator|learned]     two hours of one CPU core, either
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
    led=(--level steady --training.candidates 12 --training.guided-chunks 12 --training.start-frames 6
        --training.judged-frames 3 --training.rehearse
        --training.starts-per-rollout 500 --training.rollout-every 4000 --training.loop.steps 20000) ;;
learned)
    [ -e "$work/bags/explored_$seed/metadata.yaml" ] ||
        python -m rise_learning.evaluate --run "$run/imitation" --level steady --episodes 600 --seed 6100000 \
            --deployment.time-shift 14 --deployment.tool-shift 0.02 --record "$work/bags/explored_$seed" --out "$run/explored.json"
    # bricks are drawn as boxes that fingers carry along: without, imagination forgets behind the grasp what is held (0020)
    # dynamics first: the value model is shown their frames (0018), by chains as long as imagined episodes (0019)
    learn=(--preset small --threads 1 --bags "${bags[@]}" "$work/bags/explored_$seed" --out "$improved" --seed "$seed"
        --training.imagined-links 5)
    python -m rise_learning.train_dynamics "${learn[@]}" --base none --map-objects --object-size 0.052 0.04 0.04 \
        --training.model.maps-per-group 1 --training.loop.steps 600
    python -m rise_learning.train_value "${learn[@]}" --training.imagined-share 0.5 --training.imagined-chunks 768 \
        --training.loop.steps 2200
    # short imagined episodes: from recorded frames well before the fingers close (0013) to behind the lift
    led=(--training.candidates 8 --training.guided-chunks 4 --training.start-frames 8 --training.judged-frames 3
        --training.tolerance 0.2 --training.minimum-rise 0.3
        --training.starts-per-rollout 192 --training.rollout-every 2500 --training.loop.steps 7500) ;;
*)
    echo "the world model is simulator or learned, not $world_model" >&2
    exit 2 ;;
esac
[ -e "$improved/value" ] || ln -s ../value "$improved/value"
python -m rise_learning.self_improve --preset small --bags "${bags[@]}" --init "$run/policy" --out "$improved" --seed "$seed" \
    --world-model "$world_model" "${led[@]}" "${explored[@]}" --training.offline-share 0.2 \
    --training.buffer-size 65536 --training.loop.learning-rate 1e-3 --training.loop.checkpoint-every 2000
for policy in "$run/imitation" "$run/policy" "$improved/self_improved"; do
    for noise in 1 0; do
        python -m rise_learning.evaluate --run "$policy" --level steady --episodes 200 --seed 7000000 --json \
            --deployment.noise-scale "$noise" --out "$policy/evaluation_noise_$noise.json"
    done
done

#!/usr/bin/env bash
# A policy of 30 imprecise demonstrations improves itself, with the simulator as world model (docs/decisions/0010 and
# 0024) or with a learned one (0020 to 0022; that of 0013 and 0015 is at commit 1e5ad16); what both need is made once.
#   scripts/self_improvement.sh [WORK_DIRECTORY] [SEED] [simulator|learned]     two hours of one CPU core; learned: two and a half
# Continues where it was. The learned world model is trained on explored rollouts besides: early, late and beside.
# Evaluations are of 400 episodes each on seeds that nothing else uses.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
seed=${2:-0}
world_model=${3:-simulator}
work=${1:-$root/runs/self_improvement}
run=$work/seed_$seed
improved=$run/$world_model
# shellcheck source=/dev/null
. "$root/env.sh"
# shellcheck source=scripts/record_once.sh
. "$root/scripts/record_once.sh"
# shellcheck source=scripts/learned_recipe.sh
. "$root/scripts/learned_recipe.sh"
mkdir -p "$work/bags" "$improved"

collect_once "$work/bags/demonstrations" --level steady --imprecision 0.02 --episodes 30 --seed 0
# 10,000 steps: fewer leave imitation with something to gain that needs no imagination
python -m rise_learning.train_policy --preset small --bags "$work/bags/demonstrations" --imitation --out "$run" --seed "$seed" \
    "${THREADS[@]}"
deploy() { # deploy POLICY NAME EPISODES FIRST_SEED FLAGS...
    deploy_once "$run/$1" "$work/bags/$2_$seed" "$run/$2.json" "${@:3}"
}
deploy imitation rollouts 400 6000000
bags=("$work/bags/demonstrations" "$work/bags/rollouts_$seed")
python -m rise_learning.train_value "${THREADS[@]}" --bags "${bags[@]}" --out "$run" --seed "$seed"
python -m rise_learning.train_policy --preset small --bags "${bags[@]}" --out "$run" --init "$run/imitation" --seed "$seed" \
    "${WARM_UP[@]}"
deploy policy warm_rollouts 600 6200000
recorded=("${bags[@]}" "$work/bags/warm_rollouts_$seed")
case $world_model in
simulator)
    [ -e "$improved/value" ] || ln -s ../value "$improved/value"
    # whole episodes; those that the policy masters alone need no leading (docs/decisions/0010)
    python -m rise_learning.self_improve --preset small --bags "${recorded[@]}" --init "$run/policy" --out "$improved" \
        --seed "$seed" --world-model simulator --level steady --training.candidates 12 --training.guided-chunks 12 \
        --training.led-chunks 4 --training.start-frames 6 --training.judged-frames 3 --training.rehearse \
        --training.starts-per-rollout 300 --training.rollout-every 4000 --training.loop.steps 20000 \
        "${WHERE_IT_FAILS[@]}" "${LEARN_IMAGINED[@]}" ;;
learned)
    deploy imitation explored 600 6100000 "${EXPLORED_DEPLOYED[@]}"
    train_world_model "$seed" "$improved" none 600 "${bags[@]}" "$work/bags/explored_$seed"
    improve_in_imagination "$seed" "$improved" "$run/policy" "${recorded[@]}" ;;
*)
    echo "the world model is simulator or learned, not $world_model" >&2
    exit 2 ;;
esac
evaluate_unseen "$run/imitation" "$run/policy" "$improved/self_improved"
compare_unseen "$run" imitation policy "$world_model/self_improved"

#!/usr/bin/env bash
# The second real round behind scripts/self_improvement.sh WORK SEED learned: the self-improved policy is deployed and recorded,
# with interventions; world model and policy are refined on these bags, and the policy improves itself again.
#   scripts/second_round.sh [WORK_DIRECTORY] [SEED]     hours of one CPU core; continues where it was
# Evaluations are of 400 episodes each, on the seeds of the first round.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
seed=${2:-0}
work=${1:-$root/runs/self_improvement}
run=$work/seed_$seed
before=$run/learned
after=$run/second_round
# shellcheck source=/dev/null
. "$root/env.sh"
# shellcheck source=scripts/record_once.sh
. "$root/scripts/record_once.sh"
# shellcheck source=scripts/learned_recipe.sh
. "$root/scripts/learned_recipe.sh"
[ -e "$before/self_improved/model.safetensors" ] || {
    echo "$before/self_improved is not there: scripts/self_improvement.sh $work $seed learned makes it" >&2
    exit 2
}
mkdir -p "$after"

deploy() { # deploy NAME EPISODES FIRST_SEED FLAGS...: of the policy that came out of the first round
    deploy_once "$before/self_improved" "$work/bags/$1_$seed" "$after/$1.json" "${@:2}"
}
deploy second_rollouts 400 6500000
deploy second_corrections 100 6600000 --intervene
deploy second_explored 300 6700000 "${EXPLORED_DEPLOYED[@]}"

its_own=("$work/bags/demonstrations" "$work"/bags/{rollouts,warm_rollouts,second_rollouts,second_corrections}_"$seed")
train_world_model "$seed" "$after" "$before/dynamics" 300 "${its_own[@]}" "$work"/bags/{explored,second_explored}_"$seed"
python -m rise_learning.train_policy --preset small --bags "${its_own[@]}" --out "$after" --init "$before/self_improved" \
    --seed "$seed" "${WARM_UP[@]}"
improve_in_imagination "$seed" "$after" "$after/policy" "${its_own[@]}"
evaluate_unseen "$after/policy" "$after/self_improved"
compare_unseen "$run" imitation policy learned/self_improved second_round/policy second_round/self_improved

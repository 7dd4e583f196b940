#!/usr/bin/env bash
# The world model of the preset `small` on Dynamic Brick Sorting (level steady), and how good it is (docs/decisions/0018):
#   scripts/world_model.sh [WORK_DIRECTORY] [SEED ...]        an estimated four hours of one CPU core for all of it
# 1,150 episodes, most of an expert that errs on purpose; dynamics and value of every seed, from scratch, measured on 180
# episodes and 150 simulator states that nothing was trained on; then tables like V and VI and the value half of Table IV at
# `tiny`, whose rows are pre-trained on all three tasks and random motion (Sec. III-D). Continues where it was.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
work=${1:-$root/runs/world_model}
shift || true
seeds=("$@")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2)
# shellcheck source=/dev/null
. "$root/env.sh"
# shellcheck source=scripts/record_once.sh
. "$root/scripts/record_once.sh"

collect() { collect_once "$work/$1" "${@:2}"; } # collect BAG FLAGS...

mkdir -p "$work"/{bags,many,held_out}
steady=(--level steady --kind rollout)
collect held_out/success "${steady[@]}" --episodes 60 --seed 3200000 --noise 0 0.01
collect held_out/corrupted "${steady[@]}" --episodes 120 --seed 3210000 --noise 0 0.01 --blind --corruption-rate 1 \
    --corruption-probability 1 --corruptions wrong_bin grasp_offset --grasp-offset 0.02 0.06
collect bags/demonstrations --level steady --episodes 150 --seed 8000000 --noise 0 0.01
collect bags/mistakes "${steady[@]}" --episodes 700 --seed 8010000 --noise 0 0.02 --blind --corruption-rate 0.85 \
    --corruption-probability 0.7 --corruptions wrong_bin wrong_bin grasp_offset drop no_close --grasp-offset 0.01 0.06
collect bags/beside "${steady[@]}" --episodes 200 --seed 8020000 --noise 0 0.02 --blind --imprecision 0.03
collect bags/noisy "${steady[@]}" --episodes 100 --seed 8030000 --noise 0.03 0.3 --blind --corruption-rate 0.3 \
    --corruptions grasp_offset wrong_bin drop
seed=8100000
for task in brick_sorting box_closing backpack_packing; do
    any=(--task "$task" --level default --kind rollout)
    collect "many/$task" "${any[@]}" --episodes 60 --seed $seed --noise 0 0.03 --corruption-rate 0.5 --blind
    collect "many/random_$task" "${any[@]}" --episodes 20 --seed $((seed + 5000)) --agent random
    seed=$((seed + 10000))
done

train() { python -m "rise_learning.train_$1" --preset small --threads 1 "${@:2}"; }
for seed in "${seeds[@]}"; do
    run=$work/seed_$seed
    train dynamics --bags "$work/bags" --base none --out "$run" --seed "$seed" --map-objects \
        --training.imagined-links 3 --training.loop.steps 600
    train value --bags "$work/bags" --out "$run" --seed "$seed" --training.imagined-share 0.5
    python -m rise_learning.evaluate_world_model --run "$run" --bags "$work/held_out" --level steady --states 150 --chunks 128 \
        --threads 1 --workers 1
done
python -m rise_learning.world_model_table --bags "$work/bags" --pretrain-bags "$work/many" --held-out "$work/held_out" \
    --preset tiny --steps 250 --pretrain-steps 250 --value-steps 800 --out "$work/table" --threads 1

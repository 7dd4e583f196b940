# shellcheck shell=bash disable=SC2034
# Self-improvement by the learned world model, for the scripts that run it (and use its variables): docs/decisions/0020 to 0022.
# RISE_THREADS=1 beside other jobs: threads that wait for each other are many times slower on a busy core (0011).

THREADS=(--threads "${RISE_THREADS:-2}")
WARM_UP=(--training.loop.steps 1000 --training.loop.learning-rate 5e-4 "${THREADS[@]}")
EXPLORED_DEPLOYED=(--deployment.time-shift 14 --deployment.tool-shift 0.02)
LEARN_IMAGINED=(--training.time-shift 14 --training.tool-shift 0.02 --training.offline-share 0.2 --training.buffer-size 65536
    --training.loop.learning-rate 1e-3 --training.loop.checkpoint-every 2000 "${THREADS[@]}")
# imagined episodes begin mostly where recordings failed, and what does not end well is tried again (0022)
WHERE_IT_FAILS=(--training.failed-share 0.75 --training.attempts 3)

train_world_model() { # train_world_model SEED OUT BASE STEPS BAGS...
    # bricks are drawn as boxes that fingers carry along: without, imagination forgets behind the grasp what is held (0020)
    # dynamics first: the value model is shown their frames (0018), by chains as long as imagined episodes (0019)
    local learn=(--preset small --threads 1 --seed "$1" --out "$2" --bags "${@:5}" --training.imagined-links 5)
    python -m rise_learning.train_dynamics "${learn[@]}" --base "$3" --map-objects --object-size 0.052 0.04 0.04 \
        --training.model.maps-per-group 1 --training.loop.steps "$4"
    python -m rise_learning.train_value "${learn[@]}" --training.imagined-share 0.5 --training.imagined-chunks 768 \
        --training.loop.steps 2200
}

improve_in_imagination() { # improve_in_imagination SEED OUT POLICY BAGS...
    # from recorded frames well before the fingers close (0013); three choices are led, five more show how it ends
    python -m rise_learning.self_improve --preset small --seed "$1" --out "$2" --init "$3" --bags "${@:4}" \
        --training.candidates 8 --training.guided-chunks 8 --training.led-chunks 3 --training.start-frames 8 \
        --training.judged-frames 12 --training.tolerance 0.15 --training.minimum-value 0.8 \
        --training.starts-per-rollout 192 --training.rollout-every 2500 --training.loop.steps 12500 \
        "${WHERE_IT_FAILS[@]}" "${LEARN_IMAGINED[@]}"
}

evaluate_unseen() { # evaluate_unseen POLICY...: on 400 scenes that no training saw
    local policy first
    for policy in "$@"; do
        for first in 7000000 7100000; do
            python -m rise_learning.evaluate --run "$policy" --level steady --episodes 200 --seed "$first" \
                --workers "${THREADS[1]}" --json --out "$policy/evaluation_$first.json"
        done
    done
}

compare_unseen() { # compare_unseen RUN POLICY...: the last one beside each of the others, scene by scene
    python -m rise_learning.compare --runs "$1" --policies "${@:2}" --files "evaluation_7?00000.json"
}

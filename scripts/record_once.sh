# shellcheck shell=bash
# Bags of simulated episodes, for the scripts that continue where they were.

record_once() { # record_once BAG WEIGHTS COMMAND...: COMMAND records BAG, by WEIGHTS (a file, or none: by an expert)
    # a recording that was interrupted, and one by other flags or by a policy that was trained anew since, are made again;
    # one that was only moved, together with its policy, is kept
    local bag=$1 weights=$2 words=("${@:3}") who
    words=("${words[@]//"${bag%/*}"/BAGS}")
    [ "$weights" = none ] || words=("${words[@]//"${weights%/*/*}"/RUN}" "$(sha256sum <"$weights")")
    who=$(printf '%s\n' "${words[@]}" | sha256sum)
    [ "$(cat "$bag/recorded_by" 2>/dev/null)" != "$who" ] || return 0
    rm -rf "$bag"
    "${@:3}"
    echo "$who" >"$bag/recorded_by"
}

collect_once() { # collect_once BAG FLAGS...: simulated episodes of rise_robot.collect
    record_once "$1" none python -m rise_robot.collect --workers 2 --out "$@"
}

deploy_once() { # deploy_once POLICY BAG RESULT EPISODES FIRST_SEED FLAGS...: its episodes at level steady into BAG, figures into RESULT
    record_once "$2" "$1/model.safetensors" python -m rise_learning.evaluate --run "$1" --level steady \
        --episodes "$4" --seed "$5" --record "$2" --out "$3" "${@:6}"
}

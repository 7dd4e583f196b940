# shellcheck shell=bash
# Bags of simulated episodes, for the scripts that continue where they were.

record_once() { # record_once BAG WEIGHTS COMMAND...: COMMAND records BAG, by WEIGHTS (a file, or none: by an expert)
    # a recording that was interrupted, and one by a policy that has been trained anew since, are made again
    local bag=$1 weights=$2 who=none
    [ "$weights" = none ] || who=$(sha256sum <"$weights")
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

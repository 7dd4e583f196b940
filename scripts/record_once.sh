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

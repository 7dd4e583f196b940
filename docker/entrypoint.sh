#!/usr/bin/env bash
# Enters the environment, then becomes the command, so that it receives the container's signals itself.
set -e
# shellcheck source=env.sh
. /rise/env.sh
exec "$@"

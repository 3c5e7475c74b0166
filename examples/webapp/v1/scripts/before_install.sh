#!/bin/sh
# Make the folder of what outlives a revision.
set -eu
. "$(dirname "$0")/common.sh"

mkdir -p "$state"
"$python" -c 'import http.server, platform; print("python", platform.python_version())'

#!/bin/sh
# Stop the server, and wait until it is gone.
set -eu
. "$(dirname "$0")/common.sh"

pid=$(running_pid) || { echo "the server does not run"; exit 0; }
kill "$pid"
tries=100
while alive "$pid"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "server $pid does not stop; killing it"; kill -9 "$pid"; break; }
    sleep 0.05
done
rm -f "$pid_file"
echo "stopped server $pid"

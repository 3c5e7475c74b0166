#!/bin/sh
# Start the server as a daemon: a session of its own, none of this script's pipes, its pid on file.
set -eu
. "$(dirname "$0")/common.sh"
. "$settings"

if pid=$(running_pid); then
    echo "server $pid runs already"
    exit 0
fi
cd /
setsid "$python" -B "$app/server.py" "$address" "$port" </dev/null >>"$log" 2>&1 &
echo $! >"$pid_file"
echo "started server $! on http://$address:$port/"

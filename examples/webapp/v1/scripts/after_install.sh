#!/bin/sh
# Write this host's settings: the address that is its own.
set -eu
. "$(dirname "$0")/common.sh"

address=${WEBAPP_ADDRESS:-${TIDEGATE_HOST_ADDRESS:-}}
if [ -z "$address" ]; then
    address=$("$python" -c 'import socket; print(socket.gethostbyname(socket.gethostname()))')
fi
printf 'address=%s\nport=%s\n' "$address" "${WEBAPP_PORT:-8080}" >"$settings.new"
mv "$settings.new" "$settings"
echo "version $(cat "$app/VERSION") installed; it will listen on $address"

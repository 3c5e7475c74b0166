#!/bin/sh
# Ask the server for its health. A server that is still starting gets ten seconds; a bad answer is final.
set -eu
. "$(dirname "$0")/common.sh"
. "$settings"

exec "$python" - "http://$address:$port/health" "$(cat "$app/VERSION")" <<'PYTHON'
import json, sys, time, urllib.error, urllib.request

url, expected = sys.argv[1:]
deadline = time.time() + 10
while True:
    try:
        answer = json.loads(urllib.request.urlopen(url, timeout=5).read().decode())
        break
    except urllib.error.HTTPError as error:
        sys.exit("%s answered %d: %s" % (url, error.code, error.read().decode()))
    except OSError as error:
        if time.time() > deadline:
            sys.exit("%s does not answer: %s" % (url, error))
        time.sleep(0.05)
if answer.get("version") != expected:
    sys.exit("%s serves version %s, not %s" % (url, answer.get("version"), expected))
print("%s is healthy and serves version %s" % (url, expected))
PYTHON

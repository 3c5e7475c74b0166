#!/bin/sh
# Make or refresh a Python environment from a lock file: setup_venv.sh FOLDER LOCK_FILE.
# PYTHON names the interpreter to use; otherwise the first suitable one on PATH is taken.
set -eu
folder=$1
lock=$2
want='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))'

say() { printf '%s\n' "$*" >&2; }

find_python() {
    unsuitable=
    no_venv=
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        path=$(command -v "$name") || continue
        # The probe also drops version-manager shims that name a version which is not there.
        version=$("$path" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        if ! "$path" -c "$want" 2>/dev/null; then
            unsuitable="$unsuitable $path ($version)"
        elif ! "$path" -c 'import venv, ensurepip' 2>/dev/null; then
            no_venv="$no_venv $path ($version)"
        else
            printf '%s' "$path"
            return 0
        fi
    done
    if [ -n "$no_venv" ]; then
        say "Python is here, but its venv module is not:$no_venv."
        say "Install the package that holds it, for instance: apt-get install python3-venv"
    elif [ -n "$unsuitable" ]; then
        say "Tidegate needs Python 3.11 to 3.14; found only:$unsuitable."
        say "Install a newer one, or name it: make setup PYTHON=/path/to/python3.13"
    else
        say "Tidegate needs Python 3.11 to 3.14, and none is on PATH."
        say "Install it, for instance: apt-get install python3 python3-venv"
    fi
    return 1
}

# An environment whose interpreter went away or was replaced is made anew.
if ! "$folder/bin/python" -c "$want" 2>/dev/null || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    say "setup: making $folder with $("$python" --version)"
    "$python" -m venv --clear "$folder"
fi
say "setup: installing $lock into $folder"
"$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --requirement "$lock"

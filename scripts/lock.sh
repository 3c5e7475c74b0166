#!/bin/sh
# Compile requirements/*.in into lock files with hashes, one file for Python 3.11 to 3.14, without index URLs.
set -eu
cd "$(dirname "$0")/../requirements"
command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
compile() {
    uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url \
        --no-emit-find-links "$@"
}
compile --universal --python-version 3.11 dev.in --output-file dev.txt
compile --universal --python-version 3.11 sam.in --output-file sam.txt
compile --python-version 3.13 --python-platform aarch64-unknown-linux-gnu lambda.in --output-file lambda.txt

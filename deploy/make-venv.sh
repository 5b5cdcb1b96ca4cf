#!/bin/sh
# Make .venv with the given Python (3.11 or newer). Called by the Makefile.
set -eu
python=${1:-}
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Throughline needs Python 3.11 or newer: install it, or run 'make PYTHON=/path/to/python3.11 ...'." >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        # Debian keeps venv and pip apart from Python.
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    else
        echo "This Python has no venv module: install it (Debian: apt-get install python3-venv)." >&2
        exit 1
    fi
fi
exec "$python" -m venv .venv

#!/bin/sh
# Stops the embedded AWS, if it was ever started here.
set -eu
cd "${0%/*}/.."
if [ -x .venv/bin/python ] && [ -f local_aws/__main__.py ]; then
    exec .venv/bin/python -m local_aws stop
fi

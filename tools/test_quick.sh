#!/bin/sh
# Lint and unit tests side by side, for the habit.
set -u
cd "${0%/*}/.." || exit
PATH="$PWD/.venv/bin:$PATH"
export PATH
unset MAKEFLAGS MFLAGS MAKELEVEL # as tools/run_tests.sh
said=$(mktemp)
trap 'rm -f "$said"' EXIT
sh tools/lint.sh >"$said" 2>&1 &
lint=$!
python -m pytest -q -m 'not protocol and not boot' -n 2 --dist loadfile tests/unit
unit=$?
wait "$lint"
linted=$?
cat "$said"
[ "$unit" -eq 0 ] && [ "$linted" -eq 0 ]

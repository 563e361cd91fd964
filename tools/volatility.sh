#!/bin/sh
# The daily volatility forecast from its bundled prices to its report, on this machine, in results/volatility.
# What is done is not done again. Options of every step come after it:
#   sh tools/volatility.sh --now 2018-12-07T18:05-05:00
set -eu
cd "${0%/*}/.."
python=$(.venv/bin/python tools/volatility_env.py)
for step in ingest features labels train gate infer check; do
    "$python" -m chronos_volatility.cli "$step" --data results/volatility/data "$@"
done
"$python" -m chronos_volatility.cli report --data results/volatility/data --output results/volatility/report.html "$@"

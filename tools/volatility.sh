#!/bin/sh
# The command `volatility`, in its own environment, which is made first:
#   sh tools/volatility.sh ingest --data some/folder
# Without a step, all of them one after the other, on this machine: from the bundled prices to results/volatility/report.html.
set -eu
cd "${0%/*}/.."
python=$(.venv/bin/python tools/volatility_env.py)
export VOLATILITY_DATA="${VOLATILITY_DATA:-results/volatility/data}"
case "${1:-}" in
    '' | --now) ;;
    *) exec "$python" -m chronos_volatility.cli "$@" ;;
esac
begun=$(date +%s)
for step in ingest features labels train gate infer check; do
    "$python" -m chronos_volatility.cli "$step" "$@"
done
"$python" -m chronos_volatility.cli report --output results/volatility/report.html "$@"
echo "volatility: the report is results/volatility/report.html, $(($(date +%s) - begun)) s after this began"

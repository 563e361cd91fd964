#!/bin/sh
# Fetch the agent, then become it. If it cannot be fetched the machine ends: without it nothing useful can happen here.
set -eu
base="${INSTANCE_ROOT:-}/opt/chronos-training"
if [ ! -d "$base/agent" ] && ! python3 "$base/fetch.py"; then
  shutdown -h now
  exit 1
fi
export PYTHONPATH="$base/agent/app:$base/agent/lib"
exec python3 -m chronos_training.instance.pipeline

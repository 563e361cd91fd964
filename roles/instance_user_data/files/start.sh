#!/bin/sh
# Fetch the agent, then become it. If it cannot be fetched the machine ends: without it nothing useful can happen here.
set -eu
base="${INSTANCE_ROOT:-}/opt/chronos-training"
if [ ! -d "$base/agent" ] && ! python3 "$base/bootstrap.py"; then
  shutdown -h now || systemctl poweroff --force || systemctl poweroff -f -f
  exit 1
fi
export PYTHONPATH="$base/agent/app:$base/agent/lib"
# The SDK asks the metadata service once, for a second, and then has no credentials: that is little on a busy machine.
export AWS_METADATA_SERVICE_TIMEOUT=3 AWS_METADATA_SERVICE_NUM_ATTEMPTS=4
exec python3 -m chronos_training.agent.pipeline

#!/bin/sh
# One look of the watcher. While there is no agent, or when its watcher fails, the bootstrap looks.
set -eu
base="${INSTANCE_ROOT:-}/opt/chronos-training"
if [ -d "$base/agent" ]; then
  export AWS_METADATA_SERVICE_TIMEOUT=3 AWS_METADATA_SERVICE_NUM_ATTEMPTS=2
  if PYTHONPATH="$base/agent/app:$base/agent/lib" python3 -m chronos_training.agent.watcher; then
    rm -f "${INSTANCE_ROOT:-}/run/chronos-training/failed_looks"
    exit 0
  fi
fi
exec python3 "$base/bootstrap.py" look

#!/bin/sh
# One look of the watcher. Before the agent is there, `shutdown -h +N` is the guard.
set -eu
base="${INSTANCE_ROOT:-}/opt/chronos-training"
[ -d "$base/agent" ] || exit 0
export PYTHONPATH="$base/agent/app:$base/agent/lib"
exec python3 -m chronos_training.instance.watcher

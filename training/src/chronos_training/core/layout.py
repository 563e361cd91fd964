"""Where everything lies in the bucket. The one home of S3 keys (design: S3 layout, C4, C5)."""

from __future__ import annotations

import re
from datetime import datetime, timezone

RUN_ID = re.compile(r"^\d{8}-\d{6}$")

RUNTIME_ENV_PREFIX = "runtime/python-env/"
# Kinds of environment: AutoGluon's is twice the size, so that a run of a Chronos model does not pay for it.
RUNTIME_KINDS = ("chronos", "autogluon")
RUNTIME_PACKAGE_PREFIX = "runtime/packages/"
RUNTIME_PACKAGE_CURRENT = "runtime/packages/current.json"
MODELS_PREFIX = "runtime/models/"
DATASET_PREFIX = "cached-datasets/"
# Written last into a finished checkpoint, and sent last: a checkpoint without it is torn.
COMPLETION_MARKER = "complete.json"


def new_run_id(now: datetime) -> str:
    """Return the run id `YYYYMMDD-HHMMSS` (UTC) of a run that starts at `now` (timezone-aware)."""
    return now.astimezone(timezone.utc).strftime("%Y%m%d-%H%M%S")


def state_key(env: str) -> str:
    """Return the key of the environment's state file, which is also its lock."""
    return f"{env}/system-state.json"


def run_prefix(env: str, run_id: str) -> str:
    """Return the run's prefix `{env}/runs/YYYY/MM/DD-HHMMSS/`. ValueError when `run_id` is not a run id."""
    if not RUN_ID.match(run_id):
        raise ValueError(f"{run_id!r} is not a run id (YYYYMMDD-HHMMSS)")
    return f"{env}/runs/{run_id[:4]}/{run_id[4:6]}/{run_id[6:]}/"


def runs_prefix(env: str) -> str:
    """Return the prefix below which every run of the environment lies."""
    return f"{env}/runs/"


def run_id_of(env: str, key: str) -> str | None:
    """Return the run id that a key below the runs prefix belongs to, or None."""
    match = re.match(rf"^{re.escape(env)}/runs/(\d{{4}})/(\d{{2}})/(\d{{2}}-\d{{6}})/", key)
    return "".join(match.groups()) if match else None


def checkpoint_prefix(env: str, run_id: str) -> str:
    """Return the prefix below which a run's checkpoints lie, a folder for each."""
    return f"{run_prefix(env, run_id)}checkpoints/"


def logs_prefix(env: str, run_id: str) -> str:
    """Return the prefix of the run's logs."""
    return f"{env}/logs/{run_id}/"


def audit_prefix(env: str) -> str:
    """Return the prefix of the environment's audit log. No lifecycle rule covers it: it stays as long as the bucket."""
    return f"{env}/audit/"


def audit_key(env: str, at: datetime, event: str, token: str) -> str:
    """Return the key of one event at `at` (timezone-aware); `token` tells two of the same second apart."""
    return f"{audit_prefix(env)}{at.astimezone(timezone.utc):%Y/%m/%d/%H%M%S}-{event}-{token}.json"


def dataset_prefix(name: str) -> str:
    """Return the prefix of a dataset's files."""
    return f"{DATASET_PREFIX}{name}/"


def dataset_manifest_key(name: str) -> str:
    """Return the key of a dataset's manifest."""
    return f"{DATASET_PREFIX}{name}/manifest.json"


def env_current_key(kind: str) -> str:
    """Return the key of the pointer to the published environment of a kind."""
    return f"{RUNTIME_ENV_PREFIX}{'current' if kind == 'chronos' else kind}.json"


def env_prefix(digest: str) -> str:
    """Return the prefix of a published Python environment; `digest` is the sha256 of what is packed, in hex."""
    return f"{RUNTIME_ENV_PREFIX}{digest}/"


def package_prefix(digest: str) -> str:
    """Return the prefix of a published agent package; `digest` is the archive's sha256 in hex."""
    return f"{RUNTIME_PACKAGE_PREFIX}{digest}/"


def model_prefix(name: str, digest: str) -> str:
    """Return the prefix of a published model's files; `digest` is the one over all of them."""
    return f"{MODELS_PREFIX}{name}/{digest}/"


def model_current_key(name: str) -> str:
    """Return the key of the pointer to what is published as `name`."""
    return f"{MODELS_PREFIX}{name}/current.json"


def bucket_name(env: str, account_id: str, region: str) -> str:
    """Return the default bucket name of an environment in an account and region (unique in the world)."""
    return f"chronos-training-{env}-{account_id}-{region}"

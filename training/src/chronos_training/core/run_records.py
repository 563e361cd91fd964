"""The records of a run's phases, JSON objects in its prefix (R42). What each holds: `schemas/<name>.schema.json`."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

PREFLIGHT = "preflight"
DATA_SYNC = "data_sync"
TRAINING = "training"
RESULTS_SYNC = "results_sync"
CLEANUP_STATUS = "cleanup_status"
# In the order in which a run writes them.
RECORDS = (PREFLIGHT, DATA_SYNC, TRAINING, RESULTS_SYNC, CLEANUP_STATUS)
SCHEMA_VERSION = 1


def file_name(record: str) -> str:
    """Return the name of a record below the run's prefix."""
    return f"{record}.json"


def schema(record: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a record. FileNotFoundError when there is no such record."""
    path = resources.files("chronos_training.core").joinpath("schemas").joinpath(f"{record}.schema.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content

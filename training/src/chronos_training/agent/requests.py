"""How many S3 requests the run has sent from this machine: this process's own, and what earlier ones have noted.

A pipeline that dies takes its count with it, so it notes it at each heartbeat. The watcher's looks at the state are not
counted: three reads a minute, $0.0001 an hour.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from chronos_training.core.aws import SENT

PREFIX = "requests."


def note(state: Path) -> None:
    """Note this process's count, for whoever ends the run in its place. A disk that is full costs a number, not the run."""
    mine = state / f"{PREFIX}{os.getpid()}"
    partial = mine.with_name(f"{mine.name}.tmp")
    try:
        partial.write_text(json.dumps(SENT.counts()))
        partial.replace(mine)
    except OSError:
        pass


def counts(state: Path) -> dict[str, int]:
    """Return `writes` and `reads`, as S3 charges for them."""
    total = SENT.counts()
    for path in state.glob(f"{PREFIX}*[0-9]"):
        if path.name != f"{PREFIX}{os.getpid()}":
            try:
                noted = json.loads(path.read_text())
                total = {kind: number + int(noted[kind]) for kind, number in total.items()}
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return total

"""What the check measures: whether the forecast is there, how old it is, and whether the gate still lets anything through."""

from __future__ import annotations

import json
from datetime import datetime

from chronos_volatility import tables
from chronos_volatility.calendar import Calendar
from chronos_volatility.gate.decision import KEEP
from chronos_volatility.gate.run import PREFIX as DECISIONS
from chronos_volatility.storage import Storage

MOST = 10
"""So many decisions are looked at: a gate that refused ten times was noticed before."""
NOTHING_YET = 999
"""How far behind a table without a row is."""


def measure(storage: Storage, calendar: Calendar, moment: datetime) -> dict[str, float]:
    """Return the metrics of `moment`."""
    due = calendar.expected_session(moment)
    behind = {}
    for table in (tables.PREDICTIONS, tables.RAW_MARKET):
        last = tables.last_day(storage, table, due)
        behind[table] = NOTHING_YET if last is None else calendar.distance(last, due)
    return {
        "PredictionPresent": float(behind[tables.PREDICTIONS] == 0),
        "StaleSessions": float(behind[tables.PREDICTIONS]),
        "SourceLagSessions": float(behind[tables.RAW_MARKET]),
        "GateRefusedInARow": float(refused_in_a_row(storage)),
    }


def refused_in_a_row(storage: Storage) -> int:
    """Return how many of the last decisions of the gate changed nothing."""
    decisions = [key for key in storage.keys(DECISIONS) if not key.endswith("-canary.json")]
    count = 0
    for body in storage.read_many(decisions[: -MOST - 1 : -1]):
        if body is None or json.loads(body)["action"] != KEEP:
            break
        count += 1
    return count

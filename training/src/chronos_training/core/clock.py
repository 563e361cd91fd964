"""Times as the state file and the artifacts write them: ISO 8601, UTC, whole seconds, `Z`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

# How far this machine's clock is behind the true time; set by an instance whose clock is wrong.
_correction = timedelta(0)


def utc_now() -> datetime:
    """Return the present time, timezone-aware UTC."""
    return datetime.now(timezone.utc) + _correction


def correct(true_time: datetime) -> timedelta:
    """Let `utc_now` be `true_time` (timezone-aware) at this moment; return by how much that changed it."""
    global _correction
    change = true_time - utc_now()
    _correction += change
    return change


def iso(moment: datetime) -> str:
    """Return `moment` (timezone-aware) as `2026-11-22T10:00:00Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> datetime:
    """Return the timezone-aware UTC time of an `iso` string. ValueError when it is not one."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def duration(seconds: float) -> str:
    """Return a short duration for people: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

"""The progress of a run, in words: step of five, bar, what the step reports, cost, time to the deadline, heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chronos_training.core.clock import duration, parse_iso
from chronos_training.core.cost import billed_seconds
from chronos_training.core.live_progress import LiveProgress
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FINAL, STEPS
from chronos_training.core.store import Observed

BAR_WIDTH = 20


@dataclass(frozen=True)
class ProgressSnapshot:
    """A run at one moment: `parts` of a line, and a `change_key` that stays the same as long as only time has passed."""

    parts: tuple[str, ...]
    change_key: tuple[Any, ...]

    @property
    def line(self) -> str:
        """Return all of it as one line."""
        return "  ".join(self.parts)


@dataclass(frozen=True)
class Doubt:
    """A heartbeat that is late: what that is called, and what EC2 says of the instance, in words and as a state."""

    word: str  # late, or STALE
    said: str
    state: str | None


def progress_snapshot(observed: Observed, price_per_hour: float | None, doubt: Doubt | None = None) -> ProgressSnapshot:
    """Return the run's state in words. `price_per_hour` is in US dollars, all instances included; None if unknown."""
    record, now = observed.record, _now(observed)
    progress = () if record.current_step is None else tuple(_details(record))
    since = (now - parse_iso(record.created_at)).total_seconds()
    cost = "cost unknown" if price_per_hour is None else f"${price_per_hour * billed_seconds(since) / 3600:.2f} so far"
    parts = (f"{record.run_id}  {_where(record, now)}", *progress, cost)
    if record.status not in FINAL:
        left = (parse_iso(record.deadline_at) - now).total_seconds()
        parts += (f"deadline in {duration(left)}" if left > 0 else f"deadline passed {duration(-left)} ago",)
    age = duration(observed.age_seconds)
    if doubt is None:
        parts += (f"heartbeat {age} ago",)
    else:
        parts += (f"{doubt.word}: no heartbeat for {age}, {doubt.said}",)
    return ProgressSnapshot(
        parts, (record.run_id, record.status, record.current_step, record.kill_requested_at, progress, doubt)
    )


def ended_steps(record: RunRecord) -> dict[str, str]:
    """Return a line for each step that has ended, by its name."""
    return {
        name: f"{record.run_id}  {_number(name)} {name} took {took(times)}"
        for name, times in record.steps.items()
        if "ended_at" in times
    }


def took(times: dict[str, str]) -> str:
    """Return how long a step took, of its started_at and ended_at."""
    return duration((parse_iso(times["ended_at"]) - parse_iso(times["started_at"])).total_seconds())


def _now(observed: Observed) -> datetime:
    """Return the present by the clocks of the run and of S3: the one of this machine may be wrong."""
    return parse_iso(observed.record.heartbeat_at) + timedelta(seconds=observed.age_seconds)


def _number(step: str) -> str:
    return f"{STEPS.index(step) + 1}/{len(STEPS)}"


def _where(record: RunRecord, now: datetime) -> str:
    step = record.current_step
    if step is None:
        waited = duration((now - parse_iso(record.created_at)).total_seconds())
        return f"{record.status}: waiting for the instance for {waited}"
    age = duration((now - parse_iso(record.steps[step]["started_at"])).total_seconds())
    stopping = " (stopping)" if record.kill_requested_at and record.status not in FINAL else ""
    ended = f" ({record.status})" if record.status in FINAL else ""
    return f"{_number(step)} {step}{stopping}{ended} for {age}"


def _details(record: RunRecord) -> list[str]:
    try:
        progress = LiveProgress.from_json(record.progress)
    except ValueError:  # of another version: then there is nothing to show
        return []
    step, total, message = progress.step, progress.total_steps, progress.message
    if progress.phase == "training" and step and total:
        filled = round(BAR_WIDTH * step / total)
        parts = [f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {step}/{total}"]
        if progress.fitting:
            parts.append(f"fitting {progress.fitting}")
        if progress.best_score is not None:
            parts.append(f"best {progress.best_score:.4g} by {progress.best_model}")
        if progress.loss is not None:
            parts.append(f"loss {progress.loss:.4f}")
        if progress.samples_per_second:
            parts.append(f"{progress.samples_per_second:.0f} samples/s")
        if progress.eta_seconds is not None:
            parts.append(f"{duration(progress.eta_seconds)} left")
        return parts
    if progress.done_bytes is not None and progress.total_bytes:
        return [f"{message}: {progress.done_bytes / 1e6:.1f} of {progress.total_bytes / 1e6:.1f} MB"]
    if progress.total_files:
        return [f"{message}: {progress.done_files} of {progress.total_files} files"]
    said = message or progress.phase
    return [said] if said else []

"""Proof that nothing is left: by tags, never by our own records, and not before AWS has had time to show it (R4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chronos_training.control.lifecycle.lock_status import describe, instance_state
from chronos_training.control.lifecycle.waiting import ACCEPTED, Waiting
from chronos_training.control.orphans.classify import SETTLING_SECONDS, OrphanReport, classify
from chronos_training.control.orphans.snapshot import LOCK, Scope, Snapshot, collect
from chronos_training.control.registry.runs import newest_ended_age
from chronos_training.control.text_table import aligned
from chronos_training.core import aws
from chronos_training.core.store import Observed

Emit = Callable[[str], None]
POLL_SECONDS = 2.0
# EC2 lists new things late: one look proves nothing when something has just changed.
RELOOK_SECONDS = 3.0
ID_WIDTH = 45
CHECKED = (
    "instances, volumes, network interfaces, snapshots, addresses, Spot requests, schedules, lock, multipart uploads; "
    "of the volatility stack tasks, schedules, functions"
)


@dataclass(frozen=True)
class Verdict:
    """What is there. `active` is the lock of a run that may be at work."""

    scope: Scope
    reports: list[OrphanReport]
    active: Observed | None

    @property
    def orphans(self) -> list[OrphanReport]:
        """Return what is left over."""
        return [f for f in self.reports if not f.owner and not f.going]

    @property
    def going(self) -> list[OrphanReport]:
        """Return what EC2 is ending."""
        return [f for f in self.reports if f.going]

    @property
    def clean(self) -> bool:
        """Return whether nothing is left over."""
        return not self.orphans


def verify(scope: Scope, wait_seconds: float, emit: Emit) -> Verdict:
    """Return what exists under our tags. Waits up to `wait_seconds` for what is about to disappear.

    What EC2 is ending is not waited for: a GPU instance takes minutes, and cannot come back.

    Looks at least twice, some seconds apart, when a run has ended or something has changed a moment ago.
    """
    began, show, looks = time.monotonic(), Waiting(emit, note=""), 0
    while True:
        snapshot, looks = collect(scope), looks + 1
        verdict = _verdict(scope, snapshot)
        waited = time.monotonic() - began
        # Whoever ends a run releases its lock a moment later: somebody may be at it right now.
        patience = {LOCK} if waited < RELOOK_SECONDS else set()
        passing = [f for f in verdict.orphans if f.passing or f.resource.kind in patience]
        if passing and waited < wait_seconds:
            awaited = [f.name for f in passing if f.passing]
            if awaited:
                show(f"waiting for resources that are being removed: {', '.join(awaited)}", waited)
            time.sleep(POLL_SECONDS)
            continue
        stable = (looks > 1 and waited >= RELOOK_SECONDS) or waited >= wait_seconds
        if stable or verdict.orphans or not _changed_recently(scope, snapshot):
            return verdict
        time.sleep(POLL_SECONDS)


def _verdict(scope: Scope, snapshot: Snapshot) -> Verdict:
    reports = classify(snapshot)
    held = any(f.resource.kind == LOCK for f in reports)
    return Verdict(scope, reports, None if held else snapshot.observed)


def _changed_recently(scope: Scope, snapshot: Snapshot) -> bool:
    if snapshot.observed is not None:
        return False  # what the active run makes is its own
    age = newest_ended_age(aws.client("s3", region=scope.region), scope.bucket, scope.env)
    return age is not None and age < SETTLING_SECONDS


def short(report: OrphanReport) -> str:
    """Return its kind and id."""
    return f"{report.resource.kind} {report.resource.resource_id}"


def table(verdict: Verdict) -> list[str]:
    """Return the verdict as lines: a table when something exists, one sentence otherwise."""
    scope, lines = verdict.scope, []
    rows = [_row(f) for f in verdict.reports if f.resource.kind != LOCK]
    if rows:
        rows.insert(0, ["kind", "id", "state", "region", "belongs to", "detail"])
        if len(scope.regions) == 1:
            rows = [row[:3] + row[4:] for row in rows]
        lines += aligned(rows)
    lines += [f.name for f in verdict.orphans if f.resource.kind == LOCK]
    lines += [f"terminating: {f.name}: {ACCEPTED}" for f in verdict.going if f.resource.kind == "instance"]
    if verdict.clean:
        state = "nothing is running"
        if verdict.active is not None:
            state = f"run {verdict.active.record.run_id} is active"
            lines.append(_of_the_active_run(verdict.active, scope))
        lines.append(f"clean: {state}, no orphans in {', '.join(scope.regions)} ({CHECKED})")
    return lines


def _row(report: OrphanReport) -> list[str]:
    found = report.resource
    ended = ", going" if report.going else "" if report.owner else ", ended"
    whose = f"run {found.run_id}{ended}" if found.run_id else "no run"
    # S3's upload ids are longer than a line; the key in the detail tells more.
    identity = found.resource_id if len(found.resource_id) <= ID_WIDTH else f"{found.resource_id[: ID_WIDTH - 1]}…"
    return [found.kind, identity, found.state, found.region, whose, found.detail]


def _of_the_active_run(active: Observed, scope: Scope) -> str:
    said = instance_state(active, aws.client("ec2", region=scope.region), scope.project)
    return f"run {active.record.run_id} of {active.record.owner}: {describe(active)}; {said}"

"""Watch a run from its state file. An observer's error never says anything about the run (design: the flow)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.clock import duration, parse_iso, utc_now
from chronos_training.core.errors import TrainingError, Unreachable
from chronos_training.core.record import RunRecord
from chronos_training.core.states import FINAL, LOST, STEPS
from chronos_training.core.store import STALE_SECONDS, Observed, StateStore, open_store

from .holder import instance_state, look_at_instance, next_step
from .runs import archived_state, run_ids
from .takeover import death_of

Say = Callable[[str], None]
BAR_WIDTH = 20
# Heartbeats come every 30 s. After three that are missing it is worth asking EC2.
ASK_EC2_SECONDS = 90.0
# From its final status to the release of the lock a run needs a moment.
ENDING_SECONDS = 60.0


def follow(
    env: str, project: str, region: str, bucket: str, *, run_id: str | None, interval: float, once: bool, say: Say
) -> dict[str, Any]:
    """Show the run until it ends (or once); return its state as a dict with `final` True when it has ended.

    Watches `run_id`, else the active run, else shows the newest past one. A line is said when something changed.
    A run that is provably dead without a final status counts as ended, as lost.
    """
    store = open_store(bucket, env, region=region)
    s3, ec2 = aws.client("s3", region=region), aws.client("ec2", region=region)
    shown, watched = "", run_id
    while True:
        try:
            observed = _read(store)
            if observed is None or watched not in (None, observed.record.run_id):
                return _past(s3, bucket, env, watched)
        except Unreachable as error:
            say(f"cannot see the run ({error.message}); this says nothing about it, trying again")
            if once:
                raise _unseen(error) from error
        else:
            record = observed.record
            watched = record.run_id
            line = progress_line(observed) + _doubt(observed, ec2, project)
            if line != shown:
                say(line)
                shown = line
            if once or (record.status in FINAL and observed.age_seconds > ENDING_SECONDS):
                return {**_state(observed), **_sight(store, observed, ec2, project), "final": record.status in FINAL}
            reason = _death(observed, ec2, project)
            if reason is not None:
                lost = f"The run was lost: {reason}. Its lock is still there; {next_step(observed, 'terminated')}"
                return {**_state(observed), "status": LOST, "error_message": lost, "final": True}
        time.sleep(interval)


def _read(store: StateStore) -> Observed | None:
    """Return the state. Unreachable when another try may help, else TrainingError that keeps the run's name clean."""
    try:
        return store.read()
    except Unreachable:
        raise
    except TrainingError as error:
        raise _unseen(error) from error


def _unseen(error: TrainingError) -> TrainingError:
    """Return `error` with the words that keep "cannot see" apart from "failed"."""
    hint = f"This says nothing about the run: it goes on without being watched. {error.hint}".strip()
    return TrainingError(error.message, hint=hint)


def _sight(store: StateStore, observed: Observed, ec2: Any, project: str) -> dict[str, Any]:
    """Return what the state cannot know of itself: where it lies, what EC2 says, what may safely be done next."""
    _, instance = look_at_instance(observed, ec2, project)
    return {
        "url": store.url,
        "owner": observed.record.owner,
        "stale": observed.age_seconds > STALE_SECONDS,
        "instance_state": instance,
        "next_step": next_step(observed, instance),
    }


def _doubt(observed: Observed, ec2: Any, project: str) -> str:
    """Return what EC2 says of the instance when the heartbeat is late, else nothing."""
    if observed.age_seconds <= ASK_EC2_SECONDS or observed.record.status in FINAL:
        return ""
    word = "STALE" if observed.age_seconds > STALE_SECONDS else "late"
    said = instance_state(observed, ec2, project)
    return f"  {word}: no heartbeat for {duration(observed.age_seconds)}, {said}"


def _death(observed: Observed, ec2: Any, project: str) -> str | None:
    if observed.age_seconds <= ASK_EC2_SECONDS or observed.record.status in FINAL:
        return None
    try:
        return death_of(observed, ec2, project)
    except TrainingError:
        return None  # what cannot be seen is not dead


def progress_line(observed: Observed) -> str:
    """Return the run's state as one line: step of five, bar, what the step reports."""
    record = observed.record
    if record.current_step is None:
        waited = duration((utc_now() - parse_iso(record.created_at)).total_seconds())
        return f"{record.run_id}  {record.status}: waiting for the instance for {waited}"
    number = STEPS.index(record.current_step) + 1
    started = parse_iso(record.steps[record.current_step]["started_at"])
    age = duration((utc_now() - started).total_seconds())
    stopping = "stopping, " if record.kill_requested_at else ""
    return f"{record.run_id}  {number}/{len(STEPS)} {record.current_step:<14} {stopping}{age:<13}{_details(record)}".rstrip()


def _details(record: RunRecord) -> str:
    progress = record.progress
    step, total = progress.get("step"), progress.get("total_steps")
    if progress.get("phase") == "training" and step and total:
        filled = round(BAR_WIDTH * step / total)
        parts = [f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {step}/{total}"]
        if progress.get("fitting"):
            parts.append(f"fitting {progress['fitting']}")
        if progress.get("best_score") is not None:
            parts.append(f"best {progress['best_score']:.4g} by {progress['best_model']}")
        if progress.get("loss") is not None:
            parts.append(f"loss {progress['loss']:.4f}")
        if progress.get("samples_per_second"):
            parts.append(f"{progress['samples_per_second']:.0f} samples/s")
        if progress.get("eta_seconds") is not None:
            parts.append(f"{duration(progress['eta_seconds'])} left")
        return "  ".join(parts)
    done, total_bytes = progress.get("done_bytes"), progress.get("total_bytes")
    if done is not None and total_bytes:
        return f"{progress['message']}: {done / 1e6:.1f} of {total_bytes / 1e6:.1f} MB"
    if progress.get("total_files"):
        return f"{progress['message']}: {progress['done_files']} of {progress['total_files']} files"
    return str(progress.get("message") or progress.get("phase") or "")


def _state(observed: Observed) -> dict[str, Any]:
    record = observed.record
    return {
        "run_id": record.run_id,
        "status": record.status,
        "current_step": record.current_step,
        "steps": record.steps,
        "progress": record.progress,
        "instance_id": record.instance_id,
        "members": record.members,
        "error_message": record.error_message,
        "heartbeat_age_seconds": observed.age_seconds,
    }


def _past(s3: Any, bucket: str, env: str, run_id: str | None) -> dict[str, Any]:
    if run_id is None:
        newest = run_ids(s3, bucket, env, limit=1)
        if not newest:
            raise TrainingError(
                f"No run is active in {env}, and there was none before.", hint="Start one: make launch."
            )
        run_id = newest[0]
    elif not layout.RUN_ID.match(run_id):
        raise TrainingError(f"{run_id!r} is not a run id (YYYYMMDD-HHMMSS).", hint="See playbooks/list_runs.yml.")
    state = archived_state(s3, bucket, env, run_id)
    if state is None:
        raise TrainingError(
            f"Run {run_id} has neither a state nor an archive in s3://{bucket}/{layout.run_prefix(env, run_id)}.",
            hint="See playbooks/list_runs.yml for the runs that exist, and verify_cleanup.yml for what is left of it.",
        )
    return {**state, "final": True}


def closing_lines(state: dict[str, Any], bucket: str, env: str) -> list[str]:
    """Return the end of the story: status, why, how long each step took, where things are."""
    run_id = state["run_id"]
    lines = [f"run {run_id}: {state['status']}"]
    if state.get("error_message"):
        lines.append(f"why:  {state['error_message']}")
    took = [f"{name} {_took(times)}" for name, times in state.get("steps", {}).items() if "ended_at" in times]
    if took:
        lines.append(f"took: {', '.join(took)}")
    lines.append(f"data: s3://{bucket}/{layout.run_prefix(env, run_id)}")
    lines.append(f"logs: s3://{bucket}/{layout.logs_prefix(env, run_id)}")
    return lines


def _took(times: dict[str, str]) -> str:
    return duration((parse_iso(times["ended_at"]) - parse_iso(times["started_at"])).total_seconds())

"""Watch a run from its state file. An observer's error never says anything about the run (design: the flow)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chronos_training.ansible.progress_reporter import ProgressReporter
from chronos_training.control.lifecycle.break_stale_lock import death_of
from chronos_training.control.lifecycle.lock_status import instance_status, next_step
from chronos_training.control.lifecycle.outcome import CannotSee
from chronos_training.control.lifecycle.progress import Doubt, ended_steps, progress_snapshot, took
from chronos_training.control.lifecycle.tail import Tail
from chronos_training.control.registry.runs import archived_state, checked_run_id, run_ids, stored_run_spec
from chronos_training.core import aws, layout
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError, Unreachable
from chronos_training.core.record import RunRecord
from chronos_training.core.run_cost import hourly
from chronos_training.core.run_spec import InstanceSpec
from chronos_training.core.states import FINAL, LOST
from chronos_training.core.store import STALE_SECONDS, Observed, open_store

Emit = Callable[[str], None]
# Heartbeats come every 30 s. After three that are missing it is worth asking EC2.
ASK_EC2_SECONDS = 90.0
STALE = "STALE"
# From its final status to the release of the lock a run needs a moment.
ENDING_SECONDS = 60.0
# Logs are stored every 10 s; looking twice in that time shows them as they come.
LOG_SECONDS = 5.0
# Those that tell the story; the watcher's and the console's are for when something went wrong.
FOLLOWED_LOGS = ("bootstrap", "pipeline", "training")


class Monitor:
    """Eyes on the runs of one environment. On a terminal a status is redrawn; elsewhere a line is said at each change."""

    def __init__(self, env: str, project: str, region: str, bucket: str, emit: Emit) -> None:
        """`emit` is a ProgressReporter, or whatever takes lines."""
        self._env, self._project, self._bucket, self._emit = env, project, bucket, emit
        self._screen = emit if isinstance(emit, ProgressReporter) and emit.live else None
        self._store = open_store(bucket, env, region=region)
        self._s3, self._ec2 = aws.client("s3", region=region), aws.client("ec2", region=region)
        self._shown: Any = None  # the change key of what was shown last
        self._parts: tuple[str, ...] = ()  # the status on the screen
        self._told: set[str] = set()  # what is said once: the end of each step, what to do about a stale run
        self._instances: dict[str, InstanceSpec] = {}  # by run, of its run spec
        self._tail: Tail | None = None

    def follow(self, *, run_id: str | None, interval: float, once: bool = False, logs: bool = False) -> dict[str, Any]:
        """Show the run until it ends (or once); return its state as a dict with `final` True when it has ended.

        Watches `run_id`, else the active run, else shows the newest past one. A run that is provably dead without a
        final status counts as ended, as lost. Raises CannotSee when no other look can help.
        """
        watched = run_id if run_id is None else checked_run_id(self._env, run_id)
        while True:
            try:
                observed = self._read()
                if observed is None or watched not in (None, observed.record.run_id):
                    return self._past(watched, logs)
                watched = observed.record.run_id
                ended = self._show_run(observed, once)
            except Unreachable as error:
                if once:
                    raise CannotSee(error) from error
                self._blind(error)
            else:
                if logs:
                    self._stream(watched)
                if ended is not None:
                    return ended
            self._wait(interval, watched if logs else None)

    def _read(self) -> Observed | None:
        """Return the state. Unreachable when another try may help, else CannotSee."""
        try:
            return self._store.read()
        except Unreachable:
            raise
        except TrainingError as error:
            raise CannotSee(error) from error

    def _show_run(self, observed: Observed, once: bool) -> dict[str, Any] | None:
        """Show what was seen; return the state when there is nothing to wait for."""
        record = observed.record
        doubt = self._doubt(observed)
        seen = progress_snapshot(observed, self._price_of(record), doubt)
        for name, line in ended_steps(record).items():
            if name not in self._told:
                self._emit(line)
                self._told.add(name)
        if doubt is not None and doubt.word == STALE and STALE not in self._told:
            self._emit(next_step(observed, doubt.state))
            self._told.add(STALE)
        self._show(seen.parts, seen.change_key)
        if once or (record.status in FINAL and observed.age_seconds > ENDING_SECONDS):
            return {**_state(observed), **self._instance_state(observed), "final": record.status in FINAL}
        reason = self._death(observed)
        if reason is None:
            return None
        lost = f"The run was lost: {reason}. Its lock is still held; {next_step(observed, 'terminated')}"
        return {**_state(observed), "status": LOST, "error_message": lost, "final": True}

    def _show(self, parts: tuple[str, ...], change_key: Any) -> None:
        self._parts = parts
        if self._screen is not None:
            self._screen.show(parts)
        elif change_key != self._shown:
            self._emit("  ".join(parts))
        self._shown = change_key

    def _blind(self, error: TrainingError) -> None:
        words = "cannot read the run's state just now, which says nothing about the run; trying again"
        self._show((words, f"({error.message})"), words)

    def _stream(self, run_id: str, *, last: bool = False) -> None:
        """Say the new lines of the logs; the status stays below them."""
        if self._tail is None:
            self._tail = Tail(self._s3, self._bucket, layout.logs_prefix(self._env, run_id), FOLLOWED_LOGS)
        try:
            lines = self._tail.new_lines(last=last)
        except Unreachable:
            return  # the next look says so
        except TrainingError as error:
            without = f"Its state can be followed without its logs: training_monitor_follow=state. {error.hint}".strip()
            raise CannotSee(TrainingError(error.message, hint=without)) from error
        for line in lines:
            self._emit(line)
        if lines and self._screen is not None and not last:
            self._screen.show(self._parts)

    def _wait(self, interval: float, logs_of: str | None) -> None:
        end = time.monotonic() + interval
        while logs_of is not None and end - time.monotonic() > LOG_SECONDS:
            time.sleep(LOG_SECONDS)
            self._stream(logs_of)
        time.sleep(max(0.0, end - time.monotonic()))

    def _price_of(self, record: RunRecord) -> float | None:
        """Return the price per hour of the type that was started, None when it is not known or cannot be seen."""
        run_id = record.run_id
        if run_id not in self._instances:
            try:
                spec = stored_run_spec(self._s3, self._bucket, self._env, run_id)
            except TrainingError:
                return None
            self._instances[run_id] = spec.instance if spec else InstanceSpec()
        return hourly(self._instances[run_id], record.instance_type)["total"]

    def _instance_state(self, observed: Observed) -> dict[str, Any]:
        """Return what the state cannot know of itself: where it lies, what EC2 says, what may safely be done next."""
        _, instance = instance_status(observed, self._ec2, self._project)
        return {
            "url": self._store.url,
            "owner": observed.record.owner,
            "stale": observed.age_seconds > STALE_SECONDS,
            "instance_state": instance,
            "next_step": next_step(observed, instance),
        }

    def _doubt(self, observed: Observed) -> Doubt | None:
        """Return what EC2 says of the instance when the heartbeat is late."""
        if observed.age_seconds <= ASK_EC2_SECONDS or observed.record.status in FINAL:
            return None
        said, state = instance_status(observed, self._ec2, self._project)
        return Doubt(STALE if observed.age_seconds > STALE_SECONDS else "late", said, state)

    def _death(self, observed: Observed) -> str | None:
        if observed.age_seconds <= ASK_EC2_SECONDS or observed.record.status in FINAL:
            return None
        try:
            return death_of(observed, self._ec2, self._project)
        except TrainingError:
            return None  # what cannot be seen is not dead

    def _past(self, run_id: str | None, logs: bool) -> dict[str, Any]:
        if run_id is None:
            run_id = next(iter(run_ids(self._s3, self._bucket, self._env, limit=1)), None)
        if run_id is None:
            raise TrainingError(
                f"No run is active in {self._env}, and there has never been one.",
                hint=f"Start one: {playbook(self._env, 'launch_training')}",
                code="run_not_found",
            )
        state = archived_state(self._s3, self._bucket, self._env, run_id)
        if state is None:
            raise TrainingError(
                f"Run {run_id} has neither a state nor an archive in "
                f"s3://{self._bucket}/{layout.run_prefix(self._env, run_id)}.",
                hint=f"The runs that exist: {playbook(self._env, 'list_runs')}; leftovers of this one: {playbook(self._env, 'verify_cleanup')}",
                code="run_not_found",
            )
        if logs:
            self._stream(run_id, last=True)
        return {**state, "final": True}


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
        "error_code": record.error_code,
        "heartbeat_age_seconds": observed.age_seconds,
    }


def closing_lines(state: dict[str, Any], bucket: str, env: str) -> list[str]:
    """Return the end of the story: status, why, how long each step took, where things are."""
    run_id = state["run_id"]
    lines = [f"run {run_id}: {state['status']}"]
    if state.get("error_message"):
        lines.append(f"why:  {state['error_message']}")
    took_each = [f"{name} {took(times)}" for name, times in state.get("steps", {}).items() if "ended_at" in times]
    if took_each:
        lines.append(f"took: {', '.join(took_each)}")
    lines.append(f"data: s3://{bucket}/{layout.run_prefix(env, run_id)}")
    lines.append(f"logs: s3://{bucket}/{layout.logs_prefix(env, run_id)}")
    return lines

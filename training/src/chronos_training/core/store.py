"""The state store: the lock and the life of one run, on top of compare-and-swap. The only writer of the state file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import aws, layout
from .cas import ConditionalObject, Lost
from .clock import iso, utc_now
from .errors import TrainingError
from .record import RunRecord
from .states import FAILED, FINAL, KILLED, RUNNING, STOPPING
from .wire import STATE_CONFIG, S3Wire, Version

Change = Callable[[RunRecord], RunRecord]
STALE_SECONDS = 300.0


@dataclass(frozen=True)
class Observed:
    """A record as it is stored: with its ETag, and its age in seconds by S3's clock."""

    record: RunRecord
    etag: str
    age_seconds: float


class RunActive(TrainingError):
    """The environment's lock is held. `observed` is who holds it."""

    code = "lock_held"

    def __init__(self, observed: Observed, url: str) -> None:
        """`observed` is the record in the way, stored at `url`."""
        self.observed = observed
        super().__init__(f"{url} is held by run {observed.record.run_id} of {observed.record.owner}.")


class Fenced(TrainingError):
    """The state no longer belongs to this run: whoever gets this must stop, and must write nothing more."""

    code = "conflict"


class StateStore:
    """The state of one environment. Every change is one compare-and-swap of the whole record."""

    def __init__(self, state_object: ConditionalObject) -> None:
        """`state_object` is the state file; `open_store` makes the one in S3."""
        self._object = state_object
        self.url = state_object.url

    def read(self) -> Observed | None:
        """Return the active run's record, or None when there is none. Raises Unseen when S3 does not answer."""
        return self._observe(self._object.read())

    def acquire(self, record: RunRecord) -> Observed:
        """Take the lock by creating the state file. Raises RunActive with the current lock when it exists."""
        fresh = record.evolve()
        while True:
            try:
                return self._stored(fresh, self._object.write(fresh.to_json(), None))
            except Lost as lost:
                current = self._observe(lost.current)
                if current is None:  # it was there and is gone again: the lock is free
                    continue
                # A lost answer, and meanwhile a kill request on top: it is ours all the same.
                if current.record.run_id == fresh.run_id and current.record.client_token == fresh.client_token:
                    return current
                raise RunActive(current, self.url) from lost

    def update(self, observed: Observed, change: Change, *, only_this_version: bool = False) -> Observed:
        """Apply `change` to the run seen in `observed`, again on every newer version of that same run.

        `change` must give the same result when it is applied to its own result. Raises Fenced when another run, or
        none, is there, or when the run has ended. With `only_this_version` a newer version is left alone: RunActive.
        """
        while True:
            if observed.record.status in FINAL:
                raise self._fenced(observed.record.run_id, observed)
            changed = change(observed.record)
            try:
                return self._stored(changed, self._object.write(changed.to_json(), observed.etag))
            except Lost as lost:
                current = self._observe(lost.current)
                if current is None or current.record.run_id != observed.record.run_id:
                    raise self._fenced(observed.record.run_id, current) from lost
                if only_this_version and current.record.status not in FINAL:
                    raise RunActive(current, self.url) from lost
                observed = current

    def claim(self, run_id: str, instance_id: str) -> Observed:
        """The instance's first act: claim the run for itself. Raises Fenced when it is another's, or is ending."""
        observed = self.read()
        if observed is None or observed.record.run_id != run_id:
            raise self._fenced(run_id, observed)

        def change(record: RunRecord) -> RunRecord:
            if record.claimed_at is not None and record.instance_id != instance_id:
                raise Fenced(f"Run {run_id} is already claimed by instance {record.instance_id}.")
            if record.instance_id not in (None, instance_id):
                raise Fenced(f"Run {run_id} is assigned to instance {record.instance_id}, not to {instance_id}.")
            now = iso(utc_now())
            status = record.status if record.status == STOPPING else RUNNING
            return record.evolve(status=status, instance_id=instance_id, claimed_at=now, heartbeat_at=now)

        return self.update(observed, change)

    def request_kill(self, observed: Observed, by: str) -> Observed:
        """Ask the run to stop and sync (C16). `by` is who asks. Asking again keeps the first request."""

        def change(record: RunRecord) -> RunRecord:
            return record.evolve(
                status=STOPPING,
                kill_requested_at=record.kill_requested_at or iso(utc_now()),
                kill_requested_by=record.kill_requested_by or by,
                error_message=record.error_message or f"Killed at the request of {by}.",
            )

        return self.update(observed, change)

    def finish(
        self,
        observed: Observed,
        status: str,
        error: str | None,
        *,
        error_code: str | None = None,
        only_this_version: bool = False,
        **changes: Any,
    ) -> Observed:
        """Set the final status. A run that was asked to stop ends as killed, whatever it managed to do since.

        `error_code` is kept for a run that failed: every other status says by itself why the run ended.
        Whoever ends a run from outside says `only_this_version`: the proof that it is dead is about the version seen,
        and an instance that claimed the run since then is alive. Then RunActive is raised, and nothing is changed.
        """

        def change(record: RunRecord) -> RunRecord:
            asked = record.kill_requested_at is not None and record.status not in FINAL
            ended_as = KILLED if asked else status
            return record.evolve(
                status=ended_as,
                error_message=error or record.error_message,
                error_code=error_code if ended_as == FAILED else None,
                heartbeat_at=iso(utc_now()),
                **changes,
            )

        return self.update(observed, change, only_this_version=only_this_version)

    def remove(self, observed: Observed) -> bool:
        """Release the lock: delete exactly the version seen. False when that version was already gone.

        Raises RunActive when something else is there now; that is never deleted.
        """
        try:
            self._object.delete(observed.etag)
        except Lost as lost:
            current = self._observe(lost.current)
            if current is None:
                return False
            raise RunActive(current, self.url) from lost
        return True

    def _observe(self, version: Version | None) -> Observed | None:
        if version is None:
            return None
        return self._stored(RunRecord.from_json(version.body, self.url), version)

    @staticmethod
    def _stored(record: RunRecord, version: Version) -> Observed:
        return Observed(record, version.etag, version.age_seconds)

    def _fenced(self, run_id: str, current: Observed | None) -> Fenced:
        if current is None:
            return Fenced(f"Run {run_id} no longer has a state at {self.url}: somebody else ended it.")
        if current.record.run_id != run_id:
            return Fenced(f"{self.url} now belongs to run {current.record.run_id}, not to {run_id}.")
        return Fenced(f"Run {run_id} has already ended as {current.record.status}.")


def open_store(bucket: str, env: str, *, region: str | None = None, attempts: int = 8) -> StateStore:
    """Return the state store of `env` in `bucket`, over S3; one operation makes at most `attempts` tries."""
    s3 = aws.client("s3", region=region, config=STATE_CONFIG)
    return StateStore(ConditionalObject(S3Wire(s3, bucket, layout.state_key(env)), attempts=attempts))

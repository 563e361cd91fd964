"""The one way a run ends, for the pipeline and for the watcher: results, records, state archived and deleted."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chronos_training.core import aws, inventory, run_cost, termination_schedule
from chronos_training.core.aws_types import S3Client
from chronos_training.core.cas import ConditionalObject, Lost
from chronos_training.core.clock import iso, parse_iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import get_bytes
from chronos_training.core.run_spec import NAME, RunSpec
from chronos_training.core.states import COMPLETED, FAILED, FINAL
from chronos_training.core.store import Fenced, Observed, StateStore
from chronos_training.core.wire import STATE_CONFIG, S3Wire

from . import machine, requests
from .masking import mask_text
from .paths import Paths, Run
from .results_sync import Results
from .retry_policy import CONFIG, OUTAGE_SECONDS, RetryPolicy
from .workers import end_workers

log = logging.getLogger(__name__)
Json = dict[str, Any]

# The longest that storing and settling may take. With the time to end the processes and an orderly power-off it stays
# below the quarter of an hour between the run's limit and the guards that ask nobody (GUARD_MINUTES).
END_SECONDS = 480.0
# Of that, results may not take these last seconds: without them nobody would learn how the run ended.
RECORDS_SECONDS = 30.0
# What is only nice to have gets little patience.
OPTIONAL_SECONDS = 15.0


@dataclass(frozen=True)
class Outcome:
    """How the run went. `artifacts` is None when the results were not uploaded yet."""

    status: str
    error: str | None
    steps: dict[str, dict[str, str]]
    artifacts: list[Json] | None
    run_spec: RunSpec | None  # None when it could not be read
    error_code: str | None = None  # of a run that failed


@contextlib.contextmanager
def only_one(paths: Paths) -> Iterator[bool]:
    """Give True to the one process that may end the run: pipeline and watcher must not do it side by side."""
    paths.state.mkdir(parents=True, exist_ok=True)
    with (paths.state / "ending.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def note_ending(paths: Paths) -> None:
    """Note that the run is being ended, for the watcher, and since when; the first note stays."""
    with contextlib.suppress(OSError), (paths.state / "ending_since").open("x") as stream:
        stream.write(str(time.monotonic()))


def ending_age(paths: Paths) -> float | None:
    """Return for how long the run has been ending, None when it is not."""
    try:
        return time.monotonic() - float((paths.state / "ending_since").read_text())
    except (FileNotFoundError, ValueError):
        return None


class _Attempts:
    """Does what can be done: a failure is logged and kept, and the next thing is tried all the same.

    A passing failure is tried again until the time `until` (monotonic) is near; after that each thing is tried once.
    """

    def __init__(self, until: float) -> None:
        self.problems: list[TrainingError] = []
        self._until = until

    def left(self) -> float:
        """Return the seconds that are left for results."""
        return self._until - RECORDS_SECONDS - time.monotonic()

    def __call__(self, what: str, action: Callable[[], Any], *, vital: bool = True) -> Any:
        seconds = max(0.0, min(OUTAGE_SECONDS if vital else OPTIONAL_SECONDS, self.left()))
        try:
            return RetryPolicy(seconds)(action)
        # Whatever it is (botocore has errors of no common family): the parts after this one must still be tried.
        except Exception as error:
            log.exception("could not %s", what)
            if vital:
                wrapped = error if isinstance(error, TrainingError) else TrainingError(f"Could not {what}: {error}")
                self.problems.append(wrapped)
            return None


def end_run(
    paths: Paths,
    run: Run,
    store: StateStore,
    observed: Observed,
    outcome: Outcome,
    ship_logs: Callable[[], None],
    until: float | None = None,
) -> None:
    """Store what there is, write the final state, release the lock. Each part is tried even when an earlier one failed.

    `until` is the monotonic time at which all of it should be done (default: END_SECONDS from now); the results get
    what is left of it, less what the records need.

    The order matters: `_SUCCESS` only after every artifact was read back; the final status before the archive; the lock
    last. Raises the first TrainingError at the end, after everything was tried.

    A process that was ending this run may have died anywhere in here. What it had written stands: a final status is
    kept, and a run that has its `_SUCCESS` has completed, whatever it looks like to the watcher.
    """
    s3 = aws.client("s3", region=run.region, config=CONFIG)
    note_ending(paths)
    attempt = _Attempts(time.monotonic() + END_SECONDS if until is None else until)
    if observed.record.status in FINAL:
        attempt("ship the logs", ship_logs, vital=False)
        final = observed
    else:
        if outcome.status != COMPLETED and attempt("look for _SUCCESS", lambda: _has_succeeded(run), vital=False):
            attempt("ship the logs", ship_logs, vital=False)
            ended = replace(outcome, status=COMPLETED, error=None, error_code=None)
        else:
            ended = _store(s3, paths, run, observed.record.instance_type, outcome, ship_logs, attempt)
        # A restarted machine counts from zero, and without the run spec there is no price: then what was said last
        # holds.
        costs = (cost_so_far(paths, outcome.run_spec, observed.record.instance_type), observed.record.cost_usd)
        cost = max((one for one in costs if one is not None), default=None)
        final = attempt("write the final state", lambda: _write_final_state(store, observed, ended, cost))
    if final is not None:
        archive = final.record.to_json()
        archived = attempt("archive the state", lambda: _put_bytes(s3, run, "system-state.json", archive))
        if archived:
            # Before the lock: whoever launches right after would find them alive, and be refused.
            going = run.instances == 1 or attempt(
                "end the other instances", lambda: end_workers(run, final), vital=False
            )
            released = attempt("release the lock", lambda: store.remove(final)) is not None
            if released:
                # Last of all, with only the power-off to come: until here a crash leaves a guarded instance.
                attempt("delete the termination schedule", lambda: _cancel_schedules(run, bool(going)), vital=False)
    if attempt.problems:
        raise attempt.problems[0]


def cost_so_far(paths: Paths, run_spec: RunSpec | None, instance_type: str | None) -> float | None:
    """Return the dollars of all instances since this one's boot, an estimate; None while no price is known. Never raises."""
    if run_spec is None:
        return None
    return run_cost.cost_usd(run_spec.instance, instance_type, _life(paths), requests.counts(paths.state))


def _life(paths: Paths) -> float:
    try:
        return time.monotonic() - machine.booted_at(paths.state)
    except (OSError, ValueError):  # a disk that is full costs a number, not the run
        return 0.0


def _write_final_state(store: StateStore, observed: Observed, outcome: Outcome, cost: float | None) -> Observed:
    """Write the final status, or find that an earlier try of ours has written it though its answer was lost."""
    error = None if outcome.error is None else mask_text(outcome.error)
    steps = outcome.steps
    try:
        return store.finish(observed, outcome.status, error, error_code=outcome.error_code, steps=steps, cost_usd=cost)
    except Fenced:
        current = store.read()
        if current is None or current.record.run_id != observed.record.run_id or current.record.steps != steps:
            raise
        return current


def _store(
    s3: S3Client,
    paths: Paths,
    run: Run,
    instance_type: str | None,
    outcome: Outcome,
    ship_logs: Callable[[], None],
    attempt: _Attempts,
) -> Outcome:
    """Store results, records and logs. Returns the outcome that the run ends with: what is not stored makes it a failed one."""
    artifacts = outcome.artifacts
    if artifacts is None:
        results = Results(s3, run.bucket, run.prefix, paths.output, paths.sent)
        attempt("store the partial results", lambda: results.store(time_left=attempt.left))
        artifacts = results.stored
    # Not seeing the inventory, or a late log, does not make a good model a failed run.
    attempt("write cleanup_status.json", lambda: _put_cleanup_status(s3, run), vital=False)
    training = training_record(run, outcome, artifacts)
    spec, sent = outcome.run_spec, requests.counts(paths.state)
    training["cost"] = run_cost.breakdown(spec.instance, instance_type, _life(paths), sent) if spec else None
    attempt("write training.json", lambda: _put(s3, run, "training.json", training))
    attempt("ship the logs", ship_logs, vital=False)
    if outcome.status != COMPLETED:
        return outcome
    if attempt.problems:
        return _failed(outcome, "The results were not stored completely", attempt.problems[0])
    attempt("write _SUCCESS", lambda: _write_success(run))
    if attempt.problems:
        return _failed(outcome, "_SUCCESS could not be stored", attempt.problems[0])
    return outcome


def _failed(outcome: Outcome, what: str, problem: TrainingError) -> Outcome:
    return replace(outcome, status=FAILED, error=f"{what}: {problem}", error_code=problem.code)


def training_record(run: Run, outcome: Outcome, artifacts: list[Json]) -> Json:
    """Return training.json: how the run went, by phase, and what it stored."""
    phases: dict[str, Json] = {}
    for name, times in outcome.steps.items():
        phases[name] = dict(times)
        if "ended_at" in times:
            seconds = (parse_iso(times["ended_at"]) - parse_iso(times["started_at"])).total_seconds()
            phases[name]["seconds"] = seconds
    spec = outcome.run_spec
    return {
        "schema_version": 1,
        "run_id": run.run_id,
        "env": run.env,
        "status": outcome.status,
        "error_message": None if outcome.error is None else mask_text(outcome.error),
        "error_code": outcome.error_code,
        "written_at": iso(utc_now()),
        "phases": phases,
        "dataset": asdict(spec.dataset) if spec and spec.dataset else None,
        "runtime": asdict(spec.runtime) if spec else None,
        "training_config": spec.training if spec else None,
        "artifacts": artifacts,
    }


def _put_cleanup_status(s3: S3Client, run: Run) -> None:
    """Store the inventory before the end. What is left after it only somebody outside sees: verify_cleanup adds that."""
    ec2 = aws.client("ec2", region=run.region)
    found = inventory.list_resources(ec2, run.project, run.env, run_id=run.run_id, kinds=inventory.INSTANCE_KINDS)
    status = {
        "schema_version": 1,
        "run_id": run.run_id,
        "status": "terminating",
        "written_by": "instance",
        "before": inventory.as_inventory(found),
        "after": None,
    }
    _put(s3, run, "cleanup_status.json", status)


def _put(s3: S3Client, run: Run, name: str, content: Json) -> bool:
    return _put_bytes(s3, run, name, (json.dumps(content, indent=2) + "\n").encode())


def _put_bytes(s3: S3Client, run: Run, name: str, body: bytes) -> bool:
    with aws.explained(f"store {name}"):
        s3.put_object(Bucket=run.bucket, Key=run.prefix + name, Body=body, ContentType="application/json")
    return True


def _cancel_schedules(run: Run, workers_are_going: bool) -> None:
    scheduler = aws.client("scheduler", region=run.region)
    for number in range(run.instances if workers_are_going else 1):
        termination_schedule.cancel(scheduler, run.env, run.run_id, number)


def _success_marker(run: Run) -> ConditionalObject:
    s3 = aws.client("s3", region=run.region, config=STATE_CONFIG)
    return ConditionalObject(S3Wire(s3, run.bucket, run.prefix + "_SUCCESS"))


def _has_succeeded(run: Run) -> bool:
    return _success_marker(run).read() is not None


def _write_success(run: Run) -> None:
    # Created once and never overwritten: a second claim of success for the same run would be a protocol error.
    marker = _success_marker(run)
    body = json.dumps({"run_id": run.run_id, "completed_at": iso(utc_now())}).encode() + b"\n"
    try:
        marker.write(body, None)
    except Lost as error:
        raise TrainingError(f"{marker.url} exists already.", code="conflict") from error


def load_run_spec(s3: S3Client, run: Run, cache: Path) -> RunSpec:
    """Return the run spec, from the local copy or from S3, verified by the hash in the user data."""
    if cache.exists():
        body = cache.read_bytes()
    else:
        with aws.explained(f"read s3://{run.bucket}/{run.run_spec_key}"):
            body = get_bytes(s3, run.bucket, run.run_spec_key)
    found = hashlib.sha256(body).hexdigest()
    if found != run.run_spec_sha256:
        raise TrainingError(
            f"{run.prefix}{NAME} was changed after the launch.",
            code="checksum_mismatch",
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(body)
    return RunSpec.from_json(body, run.run_spec_key)

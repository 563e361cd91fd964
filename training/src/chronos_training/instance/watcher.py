"""The guard beside the pipeline (R11): one look every 20 s by `chronos-training-watcher.timer`, no state of its own.

It asks the pipeline to stop before the deadline. It ends the run itself when the pipeline is dead or hung, or when the
deadline is reached. It works with monotonic time, so a wrong clock changes nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass

from chronos_training.core import aws
from chronos_training.core.clock import duration
from chronos_training.core.errors import TrainingError
from chronos_training.core.states import FAILED, INTERRUPTED, KILLED, TIMED_OUT
from chronos_training.core.store import Observed, StateStore, open_store

from . import machine
from .ending import Outcome, end_run, load_run_spec, only_one
from .log_shipper import LogShipper
from .pipeline import STOP_GRACE_SECONDS, set_up_logging
from .place import Place, Run
from .stopping import request_stop
from .trainer import end_group

log = logging.getLogger("watcher")

# Before the deadline the last checkpoint must still reach S3: a tenth of the run, at most five minutes.
MARGIN_SHARE, MARGIN_MAX_SECONDS = 0.1, 300.0
STALE_SECONDS = 300.0
# A kill request that the pipeline has not acted on by then is the watcher's to carry out.
KILL_PATIENCE_SECONDS = 120.0
# The agent is unpacked and its pipeline has not started by then: it never will.
START_PATIENCE_SECONDS = 600.0
# A killed process is gone in an instant, unless it waits for a disk.
DEATH_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Sight:
    """What one look shows. Ages in seconds; None where there is nothing to see."""

    elapsed: float
    pipeline_alive: bool
    heartbeat_age: float | None
    state_seen: bool  # False: S3 did not answer, which says nothing
    state_ours: bool
    kill_age: float | None
    spot_notice: bool


@dataclass(frozen=True)
class Decision:
    """What to do: `action` is none, ask, end or leave."""

    action: str
    status: str = ""
    reason: str = ""


def decide(sight: Sight, deadline: float, interval: float) -> Decision:
    """Return what has to be done. Pure: every case is a unit test."""
    limit = f"The run reached its limit of {duration(deadline)}."
    margin = min(MARGIN_MAX_SECONDS, MARGIN_SHARE * deadline)
    if sight.state_seen and not sight.state_ours:
        return Decision("leave", KILLED, "The state no longer belongs to this run.")
    if sight.elapsed >= deadline:
        return Decision("end", TIMED_OUT, limit)
    if not sight.pipeline_alive:
        return Decision("end", FAILED, "The pipeline died without ending the run; see pipeline.log.")
    if sight.heartbeat_age is not None and sight.heartbeat_age > STALE_SECONDS and sight.state_seen:
        return Decision("end", FAILED, f"The pipeline gave no sign of life for {duration(sight.heartbeat_age)}.")
    if sight.kill_age is not None and sight.kill_age > KILL_PATIENCE_SECONDS:
        return Decision("end", KILLED, "Killed on request; the pipeline did not react.")
    if sight.spot_notice:
        return Decision("ask", INTERRUPTED, "AWS takes this Spot instance back.")
    if sight.elapsed + interval >= deadline - margin:
        return Decision("ask", TIMED_OUT, limit)
    return Decision("none")


def look(place: Place, run: Run, observed: Observed | None, state_seen: bool) -> Sight:
    """Gather what `decide` needs to know."""
    now = time.monotonic()
    record = observed.record if observed is not None and observed.record.run_id == run.run_id else None
    return Sight(
        elapsed=now - machine.booted_at(place.state),
        pipeline_alive=_alive(_pid(place, "pipeline")),
        heartbeat_age=_file_age(place),
        state_seen=state_seen,
        state_ours=record is not None,
        kill_age=_kill_age(place, record is not None and record.kill_requested_at is not None),
        spot_notice=_spot_notice(),
    )


def main() -> int:
    """Take one look and act on it."""
    place = Place.here()
    set_up_logging(place.logs / "watcher.log")
    up = time.monotonic() - machine.booted_at(place.state)
    if (place.state / "ended").exists():
        # Whoever ended the run may have died before it reached the switch.
        machine.power_off()
        return 0
    if _pid(place, "pipeline") is None and up < START_PATIENCE_SECONDS:
        return 0
    run = place.run()
    store = open_store(run.bucket, run.env, region=run.region)
    observed, state_seen = None, True
    try:
        observed = store.read()
    except TrainingError as error:
        log.warning("state not seen: %s", error)
        state_seen = False
    decision = decide(look(place, run, observed, state_seen), run.deadline_seconds, run.watch_seconds)
    if decision.action == "ask" and request_stop(place.state, decision.status, decision.reason):
        log.warning("asked the pipeline to stop: %s", decision.reason)
    if decision.action in {"end", "leave"}:
        _take_over(place, run, store, observed, decision)
    return 0


def _take_over(place: Place, run: Run, store: StateStore, observed: Observed | None, decision: Decision) -> None:
    """End the processes, then the run (unless the state is another's), then the machine."""
    log.error("ending the run from the watcher: %s", decision.reason)
    try:
        pipeline, trainer = _pid(place, "pipeline"), _pid(place, "trainer")
        if _alive(pipeline):
            os.kill(pipeline or 0, signal.SIGKILL)  # first, or it would report the trainer's end as a failure
            _wait_for_death(pipeline)  # it may hold the lock on ending the run until it is really gone
        if trainer is not None:
            end_group(trainer, STOP_GRACE_SECONDS, lambda: not _alive(trainer))
        with only_one(place) as allowed:
            s3 = aws.client("s3", region=run.region)
            shipper = LogShipper(s3, run.bucket, run.logs_prefix, place.logs, run.log_seconds)
            if not allowed or decision.action == "leave" or observed is None:
                shipper.ship()
                return
            spec = load_run_spec(s3, run, place.state / "run_spec.json")
            outcome = Outcome(decision.status, decision.reason, observed.record.steps, None, spec)
            end_run(place, run, store, observed, outcome, shipper.ship)
    except Exception:
        log.exception("the run could not be ended properly")
    finally:
        (place.state / "ended").touch()
        machine.power_off()


def _pid(place: Place, name: str) -> int | None:
    try:
        return int((place.state / f"{name}.pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _wait_for_death(pid: int | None) -> None:
    deadline = time.monotonic() + DEATH_PATIENCE_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def _file_age(place: Place) -> float | None:
    # File times are wall-clock on both sides, so a clock that is wrong cancels out.
    heartbeat = place.state / "heartbeat"
    return time.time() - heartbeat.stat().st_mtime if heartbeat.exists() else None


def _kill_age(place: Place, asked: bool) -> float | None:
    """Return for how long the watcher has known of the kill request, by monotonic time."""
    note = place.state / "kill_seen_at"
    if not asked:
        return None
    if not note.exists():
        note.write_text(str(time.monotonic()))
    return time.monotonic() - float(note.read_text())


def _spot_notice() -> bool:
    try:
        return machine.metadata("spot/instance-action") is not None
    except OSError:
        return False  # cannot see is not an interruption


if __name__ == "__main__":
    sys.exit(main())

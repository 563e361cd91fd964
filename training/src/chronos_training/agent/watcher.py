"""The guard beside the pipeline (R11): one look every 20 s by `chronos-training-watcher.timer`, no state of its own.

It asks the pipeline to stop before the deadline. It ends the run itself when the pipeline is dead or hung, or when the
deadline is reached. It works with monotonic time, so a wrong clock changes nothing. What can be decided without the
network is decided first, and a look that hangs is ended by an alarm: the next one comes.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass, replace

from chronos_training.core import aws
from chronos_training.core.clock import duration
from chronos_training.core.errors import TrainingError
from chronos_training.core.run_spec import NAME
from chronos_training.core.states import FAILED, INTERRUPTED, KILLED, TIMED_OUT
from chronos_training.core.store import Observed, open_store

from . import heartbeat, local_disk, machine, wrong_clock
from .checkpoint_headroom import headroom_seconds
from .ending import END_SECONDS, Outcome, end_run, ending_age, load_run_spec, note_ending, only_one
from .log_shipper import log_shipper
from .paths import Paths, Run
from .pipeline import LAST_RESORT_SECONDS, STOP_GRACE_SECONDS, set_up_logging
from .retry_policy import CONFIG, RetryPolicy
from .stopping import request_stop
from .trainer import end_group

log = logging.getLogger("watcher")

STALE_SECONDS = 300.0
# A kill request that the pipeline has not acted on by then is the watcher's to carry out.
KILL_PATIENCE_SECONDS = 120.0
# The agent is unpacked and its pipeline has not started by then: it never will.
START_PATIENCE_SECONDS = 600.0
# The pipeline waits for the metadata service and for the claim, a quarter of an hour at most each. Then it beats.
CLAIM_PATIENCE_SECONDS = 1800.0
# A killed process is gone in an instant, unless it waits for a disk.
DEATH_PATIENCE_SECONDS = 10.0
# AWS gives two minutes; a look is up to 20 s late.
SPOT_SECONDS = 95.0
# An unreachable S3 and metadata service take half a minute to be noticed.
LOOK_SECONDS = 90
LOOK_ATTEMPTS = 2


@dataclass(frozen=True)
class MachineSnapshot:
    """What was seen at one moment. Ages in seconds; None where there is nothing to see."""

    elapsed: float
    pipeline_alive: bool
    heartbeat_age: float | None
    ending_age: float | None
    restarted: bool
    headroom: float
    state_seen: bool = False  # False: S3 was not asked, or did not answer, which says nothing
    state_ours: bool = False
    kill_age: float | None = None
    spot_notice: bool = False
    worker: bool = False  # of several instances, not the head node: it does not end the run, only itself


@dataclass(frozen=True)
class Decision:
    """What to do: `action` is none, ask, end, leave or off."""

    action: str
    status: str = ""
    reason: str = ""


def decide(snapshot: MachineSnapshot, deadline: float, interval: float) -> Decision:
    """Return what has to be done. Pure: every case is a unit test."""
    limit = f"The run reached its limit of {duration(deadline)}."
    if snapshot.ending_age is not None and snapshot.ending_age > 2 * END_SECONDS:
        return Decision("off", reason=f"Nothing has finished ending the run within {duration(snapshot.ending_age)}.")
    if snapshot.state_seen and not snapshot.state_ours:
        return Decision("leave", KILLED, "The state no longer belongs to this run.")
    if snapshot.restarted:
        return Decision("end", INTERRUPTED, "The instance was restarted during the run.")
    if snapshot.ending_age is not None and snapshot.pipeline_alive:
        return Decision("none")  # it is storing what there is; its own clock bounds that
    if snapshot.elapsed >= deadline:
        return Decision("end", TIMED_OUT, limit)
    if not snapshot.pipeline_alive:
        return Decision("end", FAILED, "The pipeline died without ending the run; see pipeline.log.")
    if snapshot.heartbeat_age is None and snapshot.elapsed > CLAIM_PATIENCE_SECONDS:
        return Decision("end", FAILED, f"The pipeline has not started the run within {duration(snapshot.elapsed)}.")
    # Its beats do not wait for S3, so this is a process that stands still.
    if snapshot.heartbeat_age is not None and snapshot.heartbeat_age > STALE_SECONDS:
        return Decision("end", FAILED, f"The pipeline sent no heartbeat for {duration(snapshot.heartbeat_age)}.")
    if snapshot.kill_age is not None and snapshot.kill_age > KILL_PATIENCE_SECONDS:
        return Decision("end", KILLED, "Killed at the user's request; the pipeline did not react.")
    if snapshot.spot_notice:
        return Decision("ask", INTERRUPTED, "AWS is reclaiming this Spot instance.")
    # The head node stops all of them together, in time for its own last checkpoint.
    if snapshot.elapsed + interval >= deadline - snapshot.headroom and not snapshot.worker:
        return Decision("ask", TIMED_OUT, limit)
    return Decision("none")


def collect_here(paths: Paths, run: Run) -> MachineSnapshot:
    """Gather what `decide` needs to know as far as the machine itself tells it."""
    restarted = not (paths.state / "booted_at").exists()  # the bootstrap noted it before it brought this program
    return MachineSnapshot(
        elapsed=time.monotonic() - machine.booted_at(paths.state),
        pipeline_alive=_alive(_pid(paths, "pipeline")),
        heartbeat_age=heartbeat.age(paths.state),
        ending_age=ending_age(paths),
        restarted=restarted,
        headroom=headroom_seconds(paths.state, run.deadline_seconds),
        worker=_number(paths, run) != 0,
    )


def collect_remote(paths: Paths, run: Run, here: MachineSnapshot) -> MachineSnapshot:
    """Add what S3 and the metadata service say."""
    state_seen, observed = True, None
    try:
        observed = open_store(run.bucket, run.env, region=run.region, attempts=LOOK_ATTEMPTS).read()
    except TrainingError as error:
        log.warning("state not readable: %s", error)
        state_seen = False
    record = observed.record if observed is not None and observed.record.run_id == run.run_id else None
    return replace(
        here,
        state_seen=state_seen,
        state_ours=record is not None,
        kill_age=_kill_age(paths, record is not None and record.kill_requested_at is not None),
        spot_notice=_spot_notice(),
    )


def main() -> int:
    """Take one look and act on it."""
    signal.alarm(LOOK_SECONDS)
    paths = Paths.here()
    set_up_logging(paths.logs / "watcher.log")
    if (paths.state / "ended").exists():
        # Whoever ended the run may have died before it reached the switch.
        machine.power_off()
        return 0
    run = paths.run()
    # Read before the look: a pipeline that starts while this one looks must not be taken for one that died.
    pipeline = _pid(paths, "pipeline")
    here = collect_here(paths, run)
    if pipeline is None and here.elapsed < START_PATIENCE_SECONDS and not here.restarted:
        return 0
    wrong_clock.correct_when_refused()
    decision = decide(here, run.deadline_seconds, run.watch_seconds)
    if decision.action not in {"end", "off"}:
        decision = decide(collect_remote(paths, run, here), run.deadline_seconds, run.watch_seconds)
    if decision.action == "ask":
        until = time.monotonic() + SPOT_SECONDS if decision.status == INTERRUPTED else None
        if request_stop(paths.state, decision.status, decision.reason, until):
            log.warning("asked the pipeline to stop: %s", decision.reason)
    elif decision.action == "off":
        log.error("powering the machine off: %s", decision.reason)
        machine.power_off()
    elif decision.action in {"end", "leave"}:
        _end_run_and_machine(paths, run, decision)
    return 0


def _end_run_and_machine(paths: Paths, run: Run, decision: Decision) -> None:
    """End the processes, then the run (unless the state is another's, or this is a worker), then the machine."""
    log.error("ending the run from the watcher: %s", decision.reason)
    signal.alarm(0)  # from here on the end has a clock of its own
    machine.end_by(DEATH_PATIENCE_SECONDS + STOP_GRACE_SECONDS + END_SECONDS + LAST_RESORT_SECONDS)
    note_ending(paths)
    try:
        pipeline, trainer = _pid(paths, "pipeline"), _pid(paths, "trainer")
        if _alive(pipeline):
            os.kill(pipeline or 0, signal.SIGKILL)  # first, or it would report the trainer's end as a failure
            _wait_for_death(pipeline)  # it may hold the lock on ending the run until it is really gone
        if trainer is not None:
            end_group(trainer, STOP_GRACE_SECONDS, lambda: not _alive(trainer))
        local_disk.mount_again(paths.work)
        with only_one(paths) as allowed:
            if not allowed:
                log.error("another process is already ending the run")
            only_logs = not allowed or decision.action == "leave" or _number(paths, run) != 0
            _end(paths, run, decision, only_logs=only_logs)
    except Exception:
        log.exception("could not end the run properly")
    finally:
        (paths.state / "ended").touch()
        machine.power_off()


def _end(paths: Paths, run: Run, decision: Decision, *, only_logs: bool) -> None:
    until = time.monotonic() + END_SECONDS
    s3 = aws.client("s3", region=run.region, config=CONFIG)
    number = _number(paths, run)
    shipper = log_shipper(s3, run, paths, run.instances if number is None else number)
    observed: Observed | None = None
    store = open_store(run.bucket, run.env, region=run.region)
    if not only_logs:
        try:
            observed = RetryPolicy()(store.read)
        except TrainingError as error:
            log.error("%s", error)
    if observed is None or observed.record.run_id != run.run_id:
        shipper.ship()
        return
    spec = None
    try:
        spec = RetryPolicy()(lambda: load_run_spec(s3, run, paths.state / NAME))
    except TrainingError as error:  # it only describes the run; the results do not need it
        log.error("%s", error)
    # What this process calls failed is a pipeline that crashed or stands still.
    error_code = "internal_error" if decision.status == FAILED else None
    outcome = Outcome(decision.status, decision.reason, observed.record.steps, None, spec, error_code)
    end_run(paths, run, store, observed, outcome, shipper.ship, until)


def _number(paths: Paths, run: Run) -> int | None:
    """Return this instance's number in the run, 0 for the head node; None where it is not known, and none ends the
    run.
    """
    if run.instances == 1:
        return 0
    try:
        return machine.launch_index(paths.state)
    except OSError as error:
        log.warning("the launch index is not known: %s", error)
        return None


def _pid(paths: Paths, name: str) -> int | None:
    try:
        return int((paths.state / f"{name}.pid").read_text())
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


def _kill_age(paths: Paths, asked: bool) -> float | None:
    """Return for how long the watcher has known of the kill request, by monotonic time."""
    note = paths.state / "kill_seen_at"
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

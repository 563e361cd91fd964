"""A worker: it prepares itself, trains along, and ends. It never writes the state.

It learns from the state, which it reads every few seconds, where to meet the head node and when to end. An S3 that does
not answer ends nothing: the watcher beside this process keeps the deadline, and the head node ends its workers with the
run.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from typing import Any

from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client
from chronos_training.core.clock import duration, iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.rendezvous import Rendezvous
from chronos_training.core.states import COMPLETED, FAILED, FINAL, INTERRUPTED, KILLED
from chronos_training.core.store import STALE_SECONDS, Observed, StateStore

from . import heartbeat, machine
from .log_shipper import log_shipper
from .paths import Paths, Run
from .preparation import Preparation
from .retry_policy import CONFIG
from .stopping import read_stop_request
from .trainer import StopRequested

log = logging.getLogger("pipeline")

FOLLOW_SECONDS = 5.0
# Nothing has been done before the state names this instance: as long as a claim may take.
NAMED_SECONDS = 900.0
# Only the head node's copy of a checkpoint is kept; this one's part of it is written by then.
STOP_GRACE_SECONDS = 20.0
POLL_SECONDS = 1.0


def reason_to_end(observed: Observed | None, run_id: str, instance_id: str) -> StopRequested | None:
    """Return why a worker has nothing more to do, according to the state. Pure."""
    record = observed.record if observed is not None and observed.record.run_id == run_id else None
    if observed is None or record is None:
        return StopRequested(KILLED, "The state no longer belongs to this run.")
    if record.status in FINAL or record.current_step in {"results_sync", "cleanup"}:
        return StopRequested(COMPLETED, "The head node ends the run.")
    if record.members and instance_id not in record.members:
        return StopRequested(KILLED, f"Run {run_id} does not name this instance.")
    if record.claimed_at is not None and observed.age_seconds > STALE_SECONDS:
        silent = duration(observed.age_seconds)
        return StopRequested(FAILED, f"The head node {record.instance_id} has sent no heartbeat for {silent}.")
    return None


class Follower:
    """Reads the state every few seconds. `observed` is the last version seen, `stopped` the reason to end."""

    def __init__(self, paths: Paths, run: Run, store: StateStore, instance_id: str) -> None:
        """`instance_id` is this machine's own."""
        self._paths, self._run, self._store, self._instance_id = paths, run, store, instance_id
        self.observed: Observed | None = None
        self.stopped: StopRequested | None = None
        self._thread = threading.Thread(target=self._loop, name="follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _loop(self) -> None:
        while self.stopped is None:
            try:
                self.observed = self._store.read()
                self.stopped = reason_to_end(self.observed, self._run.run_id, self._instance_id)
            except Exception as error:  # what cannot be seen is no reason
                log.warning("state not readable: %s", error)
            heartbeat.beat(self._paths.state)
            time.sleep(min(FOLLOW_SECONDS, self._run.heartbeat_seconds))


class Worker:
    """What an instance does that is not the head node."""

    def __init__(self, paths: Paths, run: Run, store: StateStore, instance_id: str, number: int) -> None:
        """`number` is its launch index, from 1."""
        self.paths, self.run = paths, run
        s3: S3Client = aws.client("s3", region=run.region, config=CONFIG)
        self.shipper = log_shipper(s3, run, paths, number)
        self.follower = Follower(paths, run, store, instance_id)
        self.preparation = Preparation(paths, run, s3, self._asked_to_stop)
        self.terminated = False

    def execute(self) -> bool:
        """Do it. Returns whether its training program came to its end."""
        signal.signal(signal.SIGTERM, self._on_term)
        self.shipper.start()
        self.follower.start()
        try:
            self._work()
        except StopRequested as stopped:
            log.info("ending: %s", stopped)
            return stopped.status == COMPLETED
        except TrainingError as failure:
            log.error("%s", failure)
            return False
        except Exception:
            log.exception("unexpected error")
            return False
        finally:
            self.preparation.end()
            self.shipper.stop()
        return True

    def _work(self) -> None:
        self._wait_until_named()
        self.preparation.initialize(iso(utc_now()), None)
        self.preparation.sync_data()
        endpoint = self._wait_for_rendezvous()
        address = machine.private_address(self.preparation.stop_if_asked)
        meeting = Rendezvous(endpoint, address, leads=False)
        log.info("connecting to the head node at %s", meeting.endpoint)
        assert self.preparation.trainer is not None
        self.preparation.trainer.run(
            progress_file=self.paths.output / "progress.json",
            on_progress=lambda progress: None,
            should_stop=self._asked_to_stop,
            stop_grace=STOP_GRACE_SECONDS,
            go=meeting.to_line(),
        )
        log.info("this instance's part of the training is finished")

    def _wait_until_named(self) -> None:
        deadline = time.monotonic() + NAMED_SECONDS
        while self.follower.observed is None or not self.follower.observed.record.members:
            self.preparation.stop_if_asked()
            if time.monotonic() > deadline:
                raise TrainingError(f"The state file has not named this instance within {duration(NAMED_SECONDS)}.")
            time.sleep(POLL_SECONDS)
        self.preparation.stop_if_asked()

    def _wait_for_rendezvous(self) -> str:
        """Return where the head node waits. No bound of its own: it ends with the head node's heartbeat, or the
        deadline.
        """
        while True:
            self.preparation.stop_if_asked()
            observed = self.follower.observed
            if observed is not None and observed.record.rendezvous is not None:
                return observed.record.rendezvous
            time.sleep(POLL_SECONDS)

    def _on_term(self, number: int, frame: Any) -> None:
        self.terminated = True

    def _asked_to_stop(self) -> StopRequested | None:
        if self.terminated:
            return StopRequested(INTERRUPTED, "The instance was shut down from outside.")
        return self.follower.stopped or read_stop_request(self.paths.state)

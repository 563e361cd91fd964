"""The five steps of a run on the instance (R8). Started by `chronos-training.service`; ends by shutting down."""

from __future__ import annotations

import errno
import logging
import math
import os
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

from chronos_training.core import aws
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.live_progress import LiveProgress
from chronos_training.core.rendezvous import ALONE, Rendezvous
from chronos_training.core.run_records import DATA_SYNC, PREFLIGHT, RESULTS_SYNC, TRAINING
from chronos_training.core.states import COMPLETED, FAILED, INTERRUPTED, KILLED, RUNNING
from chronos_training.core.store import Fenced, Observed, StateStore, open_store

from . import heartbeat, machine, requests, wrong_clock
from .checkpoint_headroom import CheckpointHeadroom
from .checkpoint_sync import CheckpointSync
from .ending import END_SECONDS, Outcome, cost_so_far, end_run, note_ending, only_one, training_record
from .log_shipper import log_shipper
from .paths import Paths, Run
from .phase_records import PhaseRecords
from .preparation import Preparation
from .reporter import Reporter
from .results_sync import Results
from .retry_policy import CONFIG
from .stopping import read_stop_request
from .trainer import StopRequested
from .worker import Worker
from .workers import Workers, free_port, wait_until_named

log = logging.getLogger("pipeline")

STOP_GRACE_SECONDS = 60.0
# A machine that is told to go down has 120 s (TimeoutStopSec of the unit).
GOING_DOWN_SECONDS = 100.0
# Nothing has been done before the claim: waiting longer only costs money.
CLAIM_SECONDS = 900.0
# Beyond the time an ending may take: then the machine goes, whatever hangs.
LAST_RESORT_SECONDS = 30.0


class Pipeline:
    """One run, from the claim to the release of the lock."""

    def __init__(self, paths: Paths, run: Run, store: StateStore, observed: Observed) -> None:
        """`observed` is the record that this instance has claimed."""
        self.paths, self.run, self.store = paths, run, store
        self.s3 = aws.client("s3", region=run.region, config=CONFIG)
        self.shipper = log_shipper(self.s3, run, paths)
        self.reporter = Reporter(store, observed, run.heartbeat_seconds, self._beat)
        self.results = Results(self.s3, run.bucket, run.prefix, paths.output, paths.sent)
        self.records = PhaseRecords(run, lambda: not self.reporter.fenced.is_set())
        self.headroom = CheckpointHeadroom(paths.state)
        self.preparation = Preparation(paths, run, self.s3, self._asked_to_stop, self.reporter.progress)
        self.reporter.price(lambda: cost_so_far(paths, self.preparation.spec, self.reporter.record.instance_type))
        self.workers: Workers | None = None
        self.artifacts: list[dict[str, Any]] | None = None
        self.terminated_at: float | None = None

    def _beat(self) -> None:
        heartbeat.beat(self.paths.state)
        requests.note(self.paths.state)

    def execute(self) -> str:
        """Run all steps and end the run. Returns the final status."""
        signal.signal(signal.SIGTERM, self._on_term)
        self.shipper.start()
        self.reporter.start()
        status, error, error_code = self._steps_to_outcome()
        with only_one(self.paths) as allowed:
            if allowed and not self.reporter.fenced.is_set():
                self._end(status, error, error_code)
            elif allowed:
                self.shipper.stop()
        return status

    def _on_term(self, number: int, frame: Any) -> None:
        self.terminated_at = self.terminated_at or time.monotonic()

    def _steps_to_outcome(self) -> tuple[str, str | None, str | None]:
        """Take the steps. Returns the status, the sentence that says why, and of a failure the code of its error."""
        try:
            self._initialization()
            self._data_sync()
            self._training()
            self._results_sync()
        except StopRequested as stopped:
            log.warning("stopping: %s", stopped)
            return stopped.status, str(stopped), None
        except TrainingError as failure:
            log.error("%s", failure)
            if self.workers is not None:
                self.workers.check()  # the loss of one shows first as a connection that broke
            stopped_by = self._asked_to_stop()  # a machine that goes down ends the programs of a step, too
            if stopped_by:
                return stopped_by.status, str(stopped_by), None
            return FAILED, str(failure), failure.code
        except Exception as crash:
            log.exception("unexpected error")
            if isinstance(crash, OSError) and crash.errno == errno.ENOSPC:
                return FAILED, "The instance's disk is full. Raise training_launch_volume_gb.", "insufficient_disk"
            return FAILED, f"The pipeline crashed: {type(crash).__name__}: {crash}", "internal_error"
        finally:
            self.preparation.end()
        return COMPLETED, None, None

    def _initialization(self) -> None:
        self.reporter.begin("initialization")
        if self.run.instances > 1:
            self.workers = Workers(self.run, wait_until_named(self.store, self.run, self.preparation.stop_if_asked))
        record = self.reporter.record
        with self.records.phase(PREFLIGHT, self.preparation.preflight):
            self.preparation.initialize(record.claimed_at or iso(utc_now()), record.instance_type)

    def _data_sync(self) -> None:
        self.reporter.begin("data_sync")
        with self.records.phase(DATA_SYNC, self.preparation.synced):
            self.preparation.sync_data()

    def _training(self) -> None:
        self.reporter.begin("training")
        trainer = self.preparation.trainer
        assert trainer is not None
        checkpoints = CheckpointSync(self.results)

        def on_progress(progress: LiveProgress) -> None:
            self.reporter.progress(progress)
            if self.workers is not None:
                # Needed again when torchrun has to start again after a failure in the head node's own part.
                self.workers.needed = progress.phase not in ALONE
            self.headroom.note(progress.step, checkpoints.seconds)

        checkpoints.start()
        try:
            trainer.run(
                progress_file=self.paths.output / "progress.json",
                on_progress=on_progress,
                should_stop=self._asked_to_stop,
                stop_grace=STOP_GRACE_SECONDS,
                go=self._meet(),
            )
        finally:
            checkpoints.stop()

    def _meet(self) -> str:
        """Return the line that lets the training program go; of several instances the others are told where it waits."""
        if self.workers is None:
            return "go"
        address = machine.private_address(self.preparation.stop_if_asked)
        endpoint = f"{address}:{free_port()}"
        self.workers.start()
        self.reporter.announce(endpoint)
        log.info("the other instances connect to this one at %s", endpoint)
        return Rendezvous(endpoint, address, leads=True).to_line()

    def _results_sync(self) -> None:
        self.reporter.begin("results_sync")
        # Written again at the end, with the artifacts. Until then it tells that the training itself is done.
        trained = Outcome(RUNNING, None, self.reporter.steps, None, self.preparation.spec)
        self.records.put(TRAINING, training_record(self.run, trained, []))
        facts: dict[str, Any] = {"files": 0, "bytes": 0, "artifacts": []}

        def progress(done: int, total: int) -> None:
            facts["files"] = total
            self.reporter.progress(LiveProgress("storing results", done_files=done, total_files=total))

        with self.records.phase(RESULTS_SYNC, facts):
            try:
                # Not interrupted when the limit comes near: what remains is the same then, and this may still complete.
                self.artifacts = self.results.store(progress, self._time_left, self._stop_if_pressed)
            finally:
                stored = self.results.stored
                facts |= {"bytes": sum(artifact["size"] for artifact in stored), "artifacts": stored}
        log.info("%d result files stored and verified", len(self.artifacts))

    def _end(self, status: str, error: str | None, error_code: str | None) -> None:
        seconds = min(END_SECONDS, self._time_left())
        machine.end_by(seconds + LAST_RESORT_SECONDS)
        note_ending(self.paths)
        until = time.monotonic() + seconds
        self.reporter.begin("cleanup")
        self.reporter.end_step()
        self.reporter.stop()
        self.records.flush()
        steps, spec = self.reporter.steps, self.preparation.spec
        outcome = Outcome(status, error, steps, self.artifacts, spec, error_code)
        log.info("ending as %s", status)
        end_run(self.paths, self.run, self.store, self.reporter.observed, outcome, self.shipper.stop, until)

    def _time_left(self) -> float:
        """Return the seconds until the machine is gone: a Spot notice or a shutdown from outside set a time, else infinite."""
        stopped = self._asked_to_stop()
        return math.inf if stopped is None or stopped.until is None else max(0.0, stopped.until - time.monotonic())

    def _stop_if_pressed(self) -> None:
        stopped = self._asked_to_stop()
        if stopped is not None and (stopped.until is not None or self.reporter.fenced.is_set()):
            raise stopped

    def _asked_to_stop(self) -> StopRequested | None:
        if self.reporter.fenced.is_set():
            return StopRequested(KILLED, "The state no longer belongs to this run.")
        if self.reporter.kill.is_set():
            return StopRequested(KILLED, f"Killed at the request of {self.reporter.record.kill_requested_by}.")
        if self.terminated_at is not None:
            until = self.terminated_at + GOING_DOWN_SECONDS
            return StopRequested(INTERRUPTED, "The instance was shut down from outside.", until)
        if self.workers is not None and self.workers.lost is not None:
            return StopRequested(FAILED, self.workers.lost)
        return read_stop_request(self.paths.state)


def claim(store: StateStore, run: Run, instance_id: str, seconds: float = CLAIM_SECONDS) -> Observed:
    """Claim the run; waits out an S3 that does not answer yet. Raises Fenced when this instance must not work.

    Raises the last TrainingError when `seconds` have passed without an answer.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return store.claim(run.run_id, instance_id)
        except Fenced:
            raise
        except TrainingError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("run not claimed yet; will retry: %s", error)
            time.sleep(5)


def set_up_logging(log_file: Path) -> None:
    """Log to `log_file` with times in UTC."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)


def main() -> int:
    """Claim the run, do it, power the machine off. Whatever happens here, the machine ends."""
    paths = Paths.here()
    set_up_logging(paths.logs / "pipeline.log")
    paths.state.mkdir(parents=True, exist_ok=True)
    (paths.state / "pipeline.pid").write_text(str(os.getpid()))
    try:
        run = paths.run()
        wrong_clock.correct_when_refused()
        instance_id = machine.wait_for_identity()  # before any client is made: without credentials it would have none
        store = open_store(run.bucket, run.env, region=run.region)
        number = machine.launch_index(paths.state, machine.IDENTITY_SECONDS) if run.instances > 1 else 0
        if number:
            return 0 if Worker(paths, run, store, instance_id, number).execute() else 1
        observed = claim(store, run, instance_id)
        status = Pipeline(paths, run, store, observed).execute()
        log.info("run %s is %s", run.run_id, status)
        return 0 if status == COMPLETED else 1
    except Fenced as error:
        log.error("this instance must not work on the run: %s", error)
        return 1
    except Exception:
        log.exception("could not end the run properly")
        return 1
    finally:
        (paths.state / "ended").touch()
        machine.power_off()


def run_and_leave() -> NoReturn:
    """Do `main` and end this process at once.

    An ordinary exit waits for every thread, also for an upload that was given up and still hangs; the process would then
    hold the power-off until TimeoutStopSec.
    """
    code = 1
    try:
        code = main()
    finally:
        logging.shutdown()
        os._exit(code)


if __name__ == "__main__":
    run_and_leave()

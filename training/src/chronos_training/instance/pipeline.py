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

from chronos_training.core import aws, layout
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import get_bytes
from chronos_training.core.states import COMPLETED, FAILED, INTERRUPTED, KILLED
from chronos_training.core.store import Fenced, Observed, StateStore, open_store

from . import heartbeat, machine, wrong_clock
from .checkpoint_sync import CheckpointSync
from .console import write_console
from .data_sync import read_manifest, sync_dataset, sync_files
from .ending import END_SECONDS, Outcome, end_run, load_run_spec, note_ending, only_one
from .environment import install_environment
from .local_disk import use_local_disk
from .log_shipper import LogShipper
from .margin import Margin
from .patience import CONFIG, Patience
from .place import Place, Run
from .preflight import check_environment, check_machine
from .reporter import Reporter
from .results_sync import Results
from .stopping import read_stop_request
from .trainer import Stopped, Trainer, TrainingFailed
from .transfer import Progress

log = logging.getLogger("pipeline")

# What every training process gets: no hub, and threads that sleep while they wait (else a busy machine crawls).
TRAINING_VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
STOP_GRACE_SECONDS = 60.0
# A machine that is told to go down has 120 s (TimeoutStopSec of the unit).
GOING_DOWN_SECONDS = 100.0
# Nothing has been done before the claim: waiting longer only costs money.
CLAIM_SECONDS = 900.0
# Beyond the time an ending may take: then the machine goes, whatever hangs.
LAST_RESORT_SECONDS = 30.0
READY_SECONDS = 300.0


class Pipeline:
    """One run, from the claim to the release of the lock."""

    def __init__(self, place: Place, run: Run, store: StateStore, observed: Observed) -> None:
        """`observed` is the record that this instance has claimed."""
        self.place, self.run, self.store = place, run, store
        self.s3 = aws.client("s3", region=run.region, config=CONFIG)
        self.shipper = log_shipper(self.s3, run, place)
        self.reporter = Reporter(store, observed, run.heartbeat_seconds, lambda: heartbeat.beat(place.state))
        self.results = Results(self.s3, run.bucket, run.prefix, place.output, place.sent)
        self.margin = Margin(place.state)
        self.spec: dict[str, Any] = {}
        self.artifacts: list[dict[str, Any]] | None = None
        self.patience = Patience(check=self._stop_if_asked)
        self.trainer: Trainer | None = None
        self.terminated_at: float | None = None

    def execute(self) -> str:
        """Run all steps and end the run. Returns the final status."""
        signal.signal(signal.SIGTERM, self._on_term)
        self.shipper.start()
        self.reporter.start()
        status, error = self._steps_to_outcome()
        with only_one(self.place) as allowed:
            if allowed and not self.reporter.fenced.is_set():
                self._end(status, error)
            elif allowed:
                self.shipper.stop()
        return status

    def _on_term(self, number: int, frame: Any) -> None:
        self.terminated_at = self.terminated_at or time.monotonic()

    def _steps_to_outcome(self) -> tuple[str, str | None]:
        try:
            self._initialization()
            self._data_sync()
            self._training()
            self._results_sync()
        except Stopped as stopped:
            log.warning("stopping: %s", stopped)
            return stopped.status, str(stopped)
        except TrainingError as failure:
            log.error("%s", failure)
            stopped_by = self._asked_to_stop()  # a machine that goes down ends the programs of a step, too
            return (stopped_by.status, str(stopped_by)) if stopped_by else (FAILED, str(failure))
        except Exception as crash:
            log.exception("unexpected error")
            if isinstance(crash, OSError) and crash.errno == errno.ENOSPC:
                return FAILED, "The disk of the instance is full. Raise training_launch_volume_gb."
            return FAILED, f"The pipeline crashed: {type(crash).__name__}: {crash}"
        finally:
            if self.trainer is not None:
                self.trainer.end()
        return COMPLETED, None

    def _initialization(self) -> None:
        self.reporter.begin("initialization")
        self.spec = self.patience(lambda: load_run_spec(self.s3, self.run, self.place.state / "run_spec.json"))
        runtime, dataset = self.spec["runtime"]["python_env"], self.spec["dataset"]
        base = self.spec.get("base_model")
        needed = runtime["size"] + runtime["unpacked_size"] + dataset["bytes"]
        needed += sum(file["size"] for part in (base, self.spec.get("resume")) if part for file in part["files"])
        use_local_disk(self.place.work)
        left = self.run.deadline_seconds - (time.monotonic() - machine.booted_at(self.place.state))
        found = check_machine(self.spec["device"], runtime["torch"], needed, self.place.work, left)
        log.info("machine: %s", found)
        # Before the environment: a dataset that is gone or has changed is found out in seconds, not in minutes.
        self.manifest = self.patience(
            lambda: read_manifest(self.s3, self.run.bucket, dataset["manifest_key"], dataset["digest"])
        )
        self._stop_if_asked()
        fetching = self._fetching("fetching the environment")
        python = self.patience(
            lambda: install_environment(self.s3, self.run.bucket, runtime, self.place.environment, self._say, fetching)
        )
        self._stop_if_asked()
        self._say("starting the environment")
        versions = self._start_trainer(python)
        check_environment(versions, self.spec["device"], runtime["torch"])
        log.info("environment: %s", versions)

    def _start_trainer(self, python: Path) -> dict[str, Any]:
        """Start the training program, which loads its libraries and waits for its data; return what it found."""
        self.place.output.mkdir(parents=True, exist_ok=True)
        ready = self.place.state / "trainer.ready"
        arguments = {
            "--spec": self.place.state / "run_spec.json",
            "--data": self.place.data,
            "--output": self.place.output,
            "--ready": ready,
        }
        if self.spec.get("base_model"):
            arguments["--base-model"] = self.place.base_model
        command = [str(python), "-m", "chronos_training.models.train"]
        for name, path in arguments.items():
            command += [name, str(path)]
        variables = {
            **TRAINING_VARIABLES,
            "PYTHONPATH": str(self.place.base / "agent/app"),
            "CHRONOS_RUN_STARTED_AT": self.reporter.record.claimed_at or iso(utc_now()),
        }
        try:
            log_file, pid_file = self.place.logs / "training.log", self.place.state / "trainer.pid"
            self.trainer = Trainer(command, variables, log_file, pid_file)
            return self.trainer.wait_ready(ready, READY_SECONDS, self._asked_to_stop)
        except (OSError, TrainingFailed) as error:
            raise TrainingError(
                f"Preflight: the environment does not work on this machine: {error}",
                hint="It may have been built for another system; see playbooks/publish_runtime.yml.",
            ) from error

    def _data_sync(self) -> None:
        self.reporter.begin("data_sync")
        dataset, manifest = self.spec["dataset"], self.manifest
        prefix = layout.dataset_prefix(dataset["name"])
        self.place.data.mkdir(parents=True, exist_ok=True)

        progress = self._fetching("fetching data")
        self.patience(
            lambda: sync_dataset(self.s3, self.run.bucket, prefix, manifest, self.place.data, progress),
        )
        (self.place.data / "manifest.json").write_bytes(self.patience(self._manifest_bytes))
        log.info("dataset %s: %d files, %d bytes, verified", manifest.name, len(manifest.files), manifest.total_bytes)
        base = self.spec.get("base_model")
        if base:
            fetching = self._fetching(f"fetching model {base['name']}")
            what = f"model {base['name']}"
            self.patience(lambda: sync_files(self.s3, self.run.bucket, base, self.place.base_model, what, fetching))
            log.info("%s: %d files, verified", what, len(base["files"]))
        resume = self.spec.get("resume")
        if resume:
            what = f"the checkpoints of run {resume['run_id']}"
            fetching, target = self._fetching(f"fetching {what}"), self.place.output / "checkpoints"
            self.patience(lambda: sync_files(self.s3, self.run.bucket, resume, target, what, fetching))
            log.info("%s: %d files, verified; step %d", what, len(resume["files"]), resume["step"])

    def _manifest_bytes(self) -> bytes:
        with aws.explained("read the manifest"):
            return get_bytes(self.s3, self.run.bucket, self.spec["dataset"]["manifest_key"])

    def _training(self) -> None:
        self.reporter.begin("training")
        assert self.trainer is not None
        checkpoints = CheckpointSync(self.results)

        def on_progress(progress: dict[str, Any]) -> None:
            self.reporter.progress(**progress)
            self.margin.note(progress.get("step"), checkpoints.seconds)

        checkpoints.start()
        try:
            self.trainer.run(
                progress_file=self.place.output / "progress.json",
                on_progress=on_progress,
                should_stop=self._asked_to_stop,
                stop_grace=STOP_GRACE_SECONDS,
            )
        finally:
            checkpoints.stop()

    def _results_sync(self) -> None:
        self.reporter.begin("results_sync")

        def progress(done: int, total: int) -> None:
            self.reporter.progress(message="storing results", done_files=done, total_files=total)

        # Not broken off when the limit comes near: what remains to be done is the same then, and this may still complete.
        self.artifacts = self.results.store(progress, self._time_left, self._stop_if_pressed)
        log.info("%d result files stored and read back", len(self.artifacts))

    def _end(self, status: str, error: str | None) -> None:
        seconds = min(END_SECONDS, self._time_left())
        machine.end_by(seconds + LAST_RESORT_SECONDS)
        note_ending(self.place)
        until = time.monotonic() + seconds
        self.reporter.begin("cleanup")
        self.reporter.end_step()
        self.reporter.stop()
        outcome = Outcome(status, error, self.reporter.steps, self.artifacts, self.spec)
        log.info("ending as %s", status)
        end_run(self.place, self.run, self.store, self.reporter.observed, outcome, self.shipper.stop, until)

    def _time_left(self) -> float:
        """Return the seconds until the machine is gone: a Spot notice or a shutdown from outside set a time, else infinite."""
        stopped = self._asked_to_stop()
        return math.inf if stopped is None or stopped.until is None else max(0.0, stopped.until - time.monotonic())

    def _stop_if_pressed(self) -> None:
        stopped = self._asked_to_stop()
        if stopped is not None and (stopped.until is not None or self.reporter.fenced.is_set()):
            raise stopped

    def _asked_to_stop(self) -> Stopped | None:
        if self.reporter.fenced.is_set():
            return Stopped(KILLED, "The state no longer belongs to this run.")
        if self.reporter.kill.is_set():
            return Stopped(KILLED, f"Killed on request of {self.reporter.record.kill_requested_by}.")
        if self.terminated_at is not None:
            until = self.terminated_at + GOING_DOWN_SECONDS
            return Stopped(INTERRUPTED, "The instance was told to shut down from outside.", until)
        return read_stop_request(self.place.state)

    def _stop_if_asked(self) -> None:
        stopped = self._asked_to_stop()
        if stopped is not None:
            raise stopped

    def _fetching(self, message: str) -> Progress:
        most = 0

        def progress(done: int, total: int) -> None:
            nonlocal most
            self._stop_if_asked()
            if done > most:
                most = done
                self.patience.working()
            self.reporter.progress(message=message, done_bytes=done, total_bytes=total)

        return progress

    def _say(self, message: str) -> None:
        log.info("%s", message)
        self.reporter.progress(message=message)


def log_shipper(s3: Any, run: Run, place: Place) -> LogShipper:
    """Return the shipper of this machine's logs, console included."""
    console = place.logs / "console.log"
    return LogShipper(s3, run.bucket, run.logs_prefix, place.logs, run.log_seconds, lambda: write_console(console))


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
            log.warning("run not claimed yet, will try again: %s", error)
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
    place = Place.here()
    set_up_logging(place.logs / "pipeline.log")
    place.state.mkdir(parents=True, exist_ok=True)
    (place.state / "pipeline.pid").write_text(str(os.getpid()))
    try:
        run = place.run()
        wrong_clock.correct_when_refused()
        instance_id = machine.wait_for_identity()  # before any client is made: without credentials it would have none
        store = open_store(run.bucket, run.env, region=run.region)
        observed = claim(store, run, instance_id)
        status = Pipeline(place, run, store, observed).execute()
        log.info("run %s is %s", run.run_id, status)
        return 0 if status == COMPLETED else 1
    except Fenced as error:
        log.error("this instance must not work: %s", error)
        return 1
    except Exception:
        log.exception("the run could not be ended properly")
        return 1
    finally:
        (place.state / "ended").touch()
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

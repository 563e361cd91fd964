"""The five steps of a run on the instance (R8). Started by `chronos-training.service`; ends by shutting down."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import get_bytes
from chronos_training.core.states import COMPLETED, FAILED, INTERRUPTED, KILLED
from chronos_training.core.store import Fenced, Observed, StateStore, open_store

from . import machine
from .data_sync import read_manifest, sync_dataset
from .ending import Outcome, end_run, load_run_spec, only_one
from .environment import install_environment
from .log_shipper import LogShipper
from .place import Place, Run
from .preflight import check_environment, check_machine
from .reporter import Reporter
from .results_sync import upload_results
from .stopping import read_stop_request
from .trainer import Stopped, run_training

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


class Pipeline:
    """One run, from the claim to the release of the lock."""

    def __init__(self, place: Place, run: Run, store: StateStore, observed: Observed) -> None:
        """`observed` is the record that this instance has claimed."""
        self.place, self.run, self.store = place, run, store
        self.s3 = aws.client("s3", region=run.region)
        self.shipper = LogShipper(self.s3, run.bucket, run.logs_prefix, place.logs, run.log_seconds)
        self.reporter = Reporter(store, observed, run.heartbeat_seconds, place.state / "heartbeat")
        self.spec: dict[str, Any] = {}
        self.artifacts: list[dict[str, Any]] | None = None
        self.terminated = threading.Event()

    def execute(self) -> str:
        """Run all steps and end the run. Returns the final status."""
        signal.signal(signal.SIGTERM, lambda number, frame: self.terminated.set())
        self.shipper.start()
        self.reporter.start()
        status, error = self._steps_to_outcome()
        with only_one(self.place) as allowed:
            if allowed and not self.reporter.fenced.is_set():
                self._end(status, error)
            elif allowed:
                self.shipper.stop()
        return status

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
            return FAILED, f"The pipeline crashed: {type(crash).__name__}: {crash}"
        return COMPLETED, None

    def _initialization(self) -> None:
        self.reporter.begin("initialization")
        self.spec = load_run_spec(self.s3, self.run, self.place.state / "run_spec.json")
        runtime, dataset = self.spec["runtime"]["python_env"], self.spec["dataset"]
        needed = runtime["size"] + runtime["unpacked_size"] + dataset["bytes"]
        found = check_machine(self.spec["device"], needed, self.place.work)
        log.info("machine: %s", found)
        self._stop_if_asked()
        self.python = install_environment(
            self.s3, self.run.bucket, runtime["key"], runtime["sha256"], self.place.environment, self._say
        )
        self._stop_if_asked()
        self._say("starting the environment")
        versions = check_environment(self.python, self.spec["device"], runtime["torch"], TRAINING_VARIABLES)
        log.info("environment: %s", versions)

    def _data_sync(self) -> None:
        self.reporter.begin("data_sync")
        dataset = self.spec["dataset"]
        manifest = read_manifest(self.s3, self.run.bucket, dataset["manifest_key"], dataset["digest"])
        prefix = layout.dataset_prefix(dataset["name"])
        self.place.data.mkdir(parents=True, exist_ok=True)

        def progress(done: int, total: int) -> None:
            self._stop_if_asked()
            self.reporter.progress(message="fetching data", done_bytes=done, total_bytes=total)

        sync_dataset(self.s3, self.run.bucket, prefix, manifest, self.place.data, progress)
        with aws.explained("read the manifest"):
            body = get_bytes(self.s3, self.run.bucket, dataset["manifest_key"])
        (self.place.data / "manifest.json").write_bytes(body)
        log.info("dataset %s: %d files, %d bytes, verified", manifest.name, len(manifest.files), manifest.total_bytes)

    def _training(self) -> None:
        self.reporter.begin("training")
        self.place.output.mkdir(parents=True, exist_ok=True)
        arguments = {
            "--spec": self.place.state / "run_spec.json",
            "--data": self.place.data,
            "--output": self.place.output,
        }
        command = [str(self.python), "-m", "chronos_training.models.train"]
        for name, path in arguments.items():
            command += [name, str(path)]
        variables = {
            **TRAINING_VARIABLES,
            "PYTHONPATH": str(self.place.base / "agent/app"),
            "CHRONOS_RUN_STARTED_AT": self.reporter.record.claimed_at or iso(utc_now()),
        }
        run_training(
            command,
            variables,
            log=self.place.logs / "training.log",
            pid_file=self.place.state / "trainer.pid",
            progress_file=self.place.output / "progress.json",
            on_progress=lambda progress: self.reporter.progress(**progress),
            should_stop=self._asked_to_stop,
            stop_grace=STOP_GRACE_SECONDS,
        )

    def _results_sync(self) -> None:
        self.reporter.begin("results_sync")

        def progress(done: int, total: int) -> None:
            self.reporter.progress(message="storing results", done_files=done, total_files=total)

        self.artifacts = upload_results(self.s3, self.run.bucket, self.run.prefix, self.place.output, progress)
        log.info("%d result files stored and read back", len(self.artifacts))

    def _end(self, status: str, error: str | None) -> None:
        self.reporter.begin("cleanup")
        self.reporter.end_step()
        self.reporter.stop()
        outcome = Outcome(status, error, self.reporter.steps, self.artifacts, self.spec)
        log.info("ending as %s", status)
        end_run(self.place, self.run, self.store, self.reporter.observed, outcome, self.shipper.stop)

    def _asked_to_stop(self) -> Stopped | None:
        if self.reporter.fenced.is_set():
            return Stopped(KILLED, "The state no longer belongs to this run.")
        if self.reporter.kill.is_set():
            return Stopped(KILLED, f"Killed on request of {self.reporter.record.kill_requested_by}.")
        if self.terminated.is_set():
            return Stopped(INTERRUPTED, "The instance was told to shut down from outside.")
        return read_stop_request(self.place.state)

    def _stop_if_asked(self) -> None:
        stopped = self._asked_to_stop()
        if stopped is not None:
            raise stopped

    def _say(self, message: str) -> None:
        log.info("%s", message)
        self.reporter.progress(message=message)


def claim(store: StateStore, run: Run, instance_id: str) -> Observed:
    """Claim the run; waits out an S3 that does not answer yet. Raises Fenced when this instance must not work."""
    while True:
        try:
            return store.claim(run.run_id, instance_id)
        except Fenced:
            raise
        except TrainingError as error:  # the guards bound this loop
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
        store = open_store(run.bucket, run.env, region=run.region)
        observed = claim(store, run, machine.instance_id())
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


if __name__ == "__main__":
    sys.exit(main())

"""Initialization and data sync, the same on every instance of a run: environment, data, a training program that waits."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.base_models import folder_of, is_builtin
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.live_progress import LiveProgress
from chronos_training.core.objects import get_bytes
from chronos_training.core.run_spec import NAME, BaseModelSpec, ResumeSpec, RunSpec

from . import machine
from .data_sync import read_manifest, sync_dataset, sync_files
from .ending import load_run_spec
from .environment import install_environment
from .local_disk import use_local_disk
from .paths import Paths, Run
from .preflight import WORK_BYTES, check_environment, check_machine
from .retry_policy import RetryPolicy
from .trainer import StopRequested, Trainer, TrainingFailed
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
READY_SECONDS = 300.0


class Preparation:
    """Brings one instance to where the training can begin. `spec` is None until the run spec was read."""

    def __init__(
        self,
        paths: Paths,
        run: Run,
        s3: S3Client,
        asked_to_stop: Callable[[], StopRequested | None],
        report: Callable[[LiveProgress], None] = lambda progress: None,
    ) -> None:
        """`asked_to_stop` gives the reason to end, when there is one; `report` is told what is happening."""
        self._paths, self._run, self._s3 = paths, run, s3
        self._asked_to_stop, self._report = asked_to_stop, report
        self._retry_policy = RetryPolicy(check=self.stop_if_asked)
        self.spec: RunSpec | None = None
        # What preflight.json and data_sync.json tell; a part that was not reached is None.
        self.preflight: dict[str, Any] = {"machine": None, "dataset": None, "environment": None}
        self.synced: dict[str, Any] = {"dataset": None, "base_model": None, "resume": None}
        self.trainer: Trainer | None = None

    def initialize(self, started_at: str, instance_type: str | None) -> None:
        """Check the machine, install the environment, start the training program.

        `started_at` is the run's begin, `instance_type` the instance type that was available.
        """
        paths, run = self._paths, self._run
        spec = self.spec = self._retry_policy(lambda: load_run_spec(self._s3, run, paths.state / NAME))
        if spec.probe:
            self._start_probe(spec)
            return
        runtime, dataset = spec.environment, spec.data
        needed = runtime["size"] + runtime["unpacked_size"] + dataset.bytes
        needed += sum(file.size for part in (spec.base_model, spec.resume) if part for file in part.files)
        use_local_disk(paths.work, needed + WORK_BYTES)
        left = run.deadline_seconds - (time.monotonic() - machine.booted_at(paths.state))
        found = check_machine(spec.device, runtime["torch"], needed, paths.work, left)
        self.preflight["machine"] = {"gpu": None, **found, "needed_bytes": needed, "seconds_left": round(left, 1)}
        log.info("machine: %s", found)
        # Before the environment: a dataset that is gone or has changed is found out in seconds, not in minutes.
        self._manifest = self._retry_policy(
            lambda: read_manifest(self._s3, run.bucket, dataset.manifest_key, dataset.digest)
        )
        self.preflight["dataset"] = {
            "name": self._manifest.name,
            "digest": self._manifest.digest,
            "files": len(self._manifest.files),
            "bytes": self._manifest.total_bytes,
        }
        self.stop_if_asked()
        began = time.monotonic()
        fetching = self._fetching("fetching the environment")
        python = self._retry_policy(
            lambda: install_environment(self._s3, run.bucket, runtime, paths.environment, self._emit, fetching)
        )
        installed = time.monotonic()
        self.stop_if_asked()
        self._emit("starting the environment")
        versions = self._start_trainer(spec, python, started_at, instance_type or "")
        self.preflight["environment"] = {
            "sha256": runtime["sha256"],
            "mounted": os.path.ismount(paths.environment),
            "install_seconds": round(installed - began, 3),
            "start_seconds": round(time.monotonic() - installed, 3),
            **versions,
        }
        check_environment(versions, spec.device, runtime["torch"])
        log.info("environment: %s", versions)

    def sync_data(self) -> None:
        """Fetch dataset, base model and earlier checkpoints, each file verified. A probe has none of them."""
        spec = self.spec
        assert spec is not None  # `initialize` has read it
        if spec.probe:
            return
        paths, run, manifest = self._paths, self._run, self._manifest
        prefix = layout.dataset_prefix(spec.data.name)
        paths.data.mkdir(parents=True, exist_ok=True)

        began = time.monotonic()
        progress = self._fetching("fetching data")
        self._retry_policy(
            lambda: sync_dataset(self._s3, run.bucket, prefix, manifest, paths.data, progress),
        )
        (paths.data / "manifest.json").write_bytes(self._retry_policy(lambda: self._manifest_bytes(spec)))
        log.info("dataset %s: %d files, %d bytes, verified", manifest.name, len(manifest.files), manifest.total_bytes)
        self.synced["dataset"] = {
            "name": manifest.name,
            "digest": manifest.digest,
            **_amount([file.size for file in manifest.files], began),
        }
        base = spec.base_model
        if base and not is_builtin(base.name):
            self.synced["base_model"] = {"name": base.name, "digest": base.digest} | self._sync(
                base, paths.base_model, f"model {base.name}"
            )
        if spec.resume:
            what, checkpoints = f"the checkpoints of run {spec.resume.run_id}", paths.output / "checkpoints"
            about: dict[str, Any] = {"run_id": spec.resume.run_id, "step": spec.resume.step}
            self.synced["resume"] = about | self._sync(spec.resume, checkpoints, what)

    def _sync(self, part: BaseModelSpec | ResumeSpec, target: Path, what: str) -> dict[str, Any]:
        """Fetch and verify the files of a part of the run spec; return how many there were."""
        began, fetching, bucket = time.monotonic(), self._fetching(f"fetching {what}"), self._run.bucket
        self._retry_policy(lambda: sync_files(self._s3, bucket, part.prefix or "", part.files, target, what, fetching))
        log.info("%s: %d files, verified", what, len(part.files))
        return _amount([file.size for file in part.files], began)

    def stop_if_asked(self) -> None:
        """Raise the reason to end, when there is one."""
        stopped = self._asked_to_stop()
        if stopped is not None:
            raise stopped

    def end(self) -> None:
        """End whatever is left of the training program."""
        if self.trainer is not None:
            self.trainer.end()

    def _start_probe(self, spec: RunSpec) -> None:
        """Have the machine's own Python wait to gather facts: nothing of a training is checked, for each lack is a fact.

        The environment is brought when one was published; that it cannot be is the probe's to tell.
        """
        paths = self._paths
        runtime = spec.runtime.python_env
        use_local_disk(paths.work, WORK_BYTES + (runtime["size"] + runtime["unpacked_size"] if runtime else 0))
        paths.output.mkdir(parents=True, exist_ok=True)
        if runtime is not None:
            try:
                fetching = self._fetching("fetching the environment")
                install_environment(self._s3, self._run.bucket, runtime, paths.environment, self._emit, fetching)
            except StopRequested:
                raise
            except TrainingError as error:
                log.error("no environment: %s", error)
        command = [sys.executable, "-m", "chronos_training.agent.probe"]
        command += ["--output", str(paths.output), "--environment", str(paths.environment)]
        variables = {**TRAINING_VARIABLES, "PYTHONPATH": str(paths.base / "agent/app")}
        self.trainer = Trainer(command, variables, paths.logs / "training.log", paths.state / "trainer.pid")

    def _start_trainer(self, spec: RunSpec, python: Path, started_at: str, instance_type: str) -> dict[str, Any]:
        """Start the training program, which loads its libraries and waits for its data; return what it found."""
        paths = self._paths
        paths.output.mkdir(parents=True, exist_ok=True)
        ready = paths.state / "trainer.ready"
        arguments = {
            "--spec": paths.state / NAME,
            "--data": paths.data,
            "--output": paths.output,
            "--ready": ready,
        }
        if spec.base_model:  # weights that came with the agent package, or are synced from the bucket
            name = spec.base_model.name
            arguments["--base-model"] = folder_of(name) if is_builtin(name) else paths.base_model
        command = [str(python), "-m", "chronos_training.training.train"]
        for name, path in arguments.items():
            command += [name, str(path)]
        variables = {
            **TRAINING_VARIABLES,
            "PYTHONPATH": str(paths.base / "agent/app"),
            "CHRONOS_RUN_STARTED_AT": started_at,
            "CHRONOS_INSTANCE_TYPE": instance_type,
        }
        try:
            log_file, pid_file = paths.logs / "training.log", paths.state / "trainer.pid"
            self.trainer = Trainer(command, variables, log_file, pid_file)
            return self.trainer.wait_ready(ready, READY_SECONDS, self._asked_to_stop)
        except (OSError, TrainingFailed) as error:
            raise TrainingError(
                f"Preflight: the environment does not work on this machine: {error}",
                hint=f"If it was built for another system, publish it for this one: {playbook(self._run.env, 'publish_runtime')}",
                code="preflight_failed",
            ) from error

    def _manifest_bytes(self, spec: RunSpec) -> bytes:
        with aws.explained("read the manifest"):
            return get_bytes(self._s3, self._run.bucket, spec.data.manifest_key)

    def _fetching(self, message: str) -> Progress:
        most = 0

        def progress(done: int, total: int) -> None:
            nonlocal most
            self.stop_if_asked()
            if done > most:
                most = done
                self._retry_policy.working()
            self._report(LiveProgress(message, done_bytes=done, total_bytes=total))

        return progress

    def _emit(self, message: str) -> None:
        log.info("%s", message)
        self._report(LiveProgress(message))


def _amount(sizes: list[int], began: float) -> dict[str, Any]:
    """Return what was brought and verified since `began` (monotonic)."""
    return {"files": len(sizes), "bytes": sum(sizes), "seconds": round(time.monotonic() - began, 3)}

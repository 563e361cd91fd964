"""Brings the results to S3 and reads every one back: success is claimed only for bytes that S3 gave back (R26).

Order and memory make it safe to be cut short anywhere. A checkpoint's completion marker goes last, so that an incomplete one is
never taken for a complete one; the newest checkpoint goes first. What was sent is noted on the disk, so that neither the end of
the run nor the watcher, when it has to end the run, sends it again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import mimetypes
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import TrainingError
from chronos_training.core.hashing import sha256_file, sha256_stream
from chronos_training.core.objects import BROKEN_OFF, delete_objects

from .retry_policy import RetryPolicy

log = logging.getLogger(__name__)

WORKERS = 8
# Only of use to the pipeline itself, while it runs.
PRIVATE = {"progress.json"}
# What was being written when the run was ended: a torn checkpoint is no result.
UNFINISHED = (".partial", ".tmp")
READ_ATTEMPTS = 3
_CHECKPOINT = re.compile(r"^checkpoints/checkpoint-(\d+)/(.+)$")

TimeLeft = Callable[[], float]  # seconds; infinite when nothing presses


class NotInTime(TrainingError):
    """The time for storing results ended before all of them were stored; what was sent stays."""

    code = "upload_incomplete"


class Vanished(TrainingError):
    """A file went away while it was being sent: the trainer drops old checkpoints."""

    code = "upload_incomplete"


@dataclass(frozen=True)
class Artifact:
    """One uploaded file: key relative to the run's prefix, size in bytes, sha256 as read back from S3."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class _Note:
    """A file as it was sent."""

    size: int
    mtime_ns: int
    sha256: str


class Results:
    """The results of one run on their way from `folder` to S3."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str, folder: Path, memory: Path) -> None:
        """Files below `folder` go to `s3://bucket/prefix`; `memory` is the file that notes what was sent."""
        self._s3, self._bucket, self._prefix, self._folder, self._memory = s3, bucket, prefix, folder, memory
        self._sent: dict[str, _Note] = {}
        self._stored: dict[str, Artifact] = {}
        self._lock = threading.Lock()
        with contextlib.suppress(OSError, ValueError, TypeError):  # none yet, or torn: then all is sent
            self._sent = {name: _Note(**note) for name, note in json.loads(memory.read_text()).items()}

    @property
    def stored(self) -> list[dict[str, Any]]:
        """Return what was sent and read back so far, as JSON objects sorted by path."""
        return [asdict(artifact) for _, artifact in sorted(self._stored.items())]

    def send_newest_checkpoint(self) -> str | None:
        """Send the newest whole checkpoint that is not there yet; then drop from S3 those that the trainer dropped.

        Older ones that are kept follow one by one: the best of a training may be among them. Returns its name when
        something was sent. Raises TrainingError; Vanished when the trainer was faster.
        """
        names = self._names()
        whole = sorted({_step(name) for name in names if name.endswith("/" + layout.COMPLETION_MARKER)}, reverse=True)
        for step in whole:
            group = [name for name in names if _step(name) == step]
            if step < 0 or all(self._is_sent(name) for name in group):
                continue
            for part in _in_order(group):
                for name in part:
                    self._send(name)
            self._drop_old(set(names))
            return f"checkpoint-{step}"
        return None

    def store(
        self,
        progress: Callable[[int, int], None] = lambda done, total: None,
        time_left: TimeLeft = lambda: math.inf,
        check: Callable[[], None] = lambda: None,
    ) -> list[dict[str, Any]]:
        """Send what is not there yet, read every file back, and return `stored`.

        `check` may raise to break off a wait for S3. Raises TrainingError with the name of a file whose bytes did not
        come back as they were sent, NotInTime when `time_left` ran out.
        """
        names = self._names()
        self._stored = {}
        pool = ThreadPoolExecutor(WORKERS)
        try:
            for part in _in_order(names):
                jobs = [pool.submit(self._store, name, check) for name in part]
                for job in jobs:
                    left = time_left()
                    if wait([job], None if math.isinf(left) else max(0.0, left)).not_done:
                        done = len(self._stored)
                        raise NotInTime(f"Only {done} of {len(names)} result files could be stored in the time left.")
                    artifact = job.result()
                    self._stored[artifact.path] = artifact
                    progress(len(self._stored), len(names))
            try:
                self._drop_old(set(names))
            except TrainingError as error:  # every result is there: what is too much is no reason to fail the run
                log.warning("old checkpoints were not deleted: %s", error)
        finally:
            # Not waiting for the threads: a transfer that hangs must not hold the end of the machine.
            pool.shutdown(wait=False, cancel_futures=True)
        return self.stored

    def _names(self) -> list[str]:
        paths = (path for path in self._folder.rglob("*") if path.is_file())
        names = sorted(path.relative_to(self._folder).as_posix() for path in paths)
        return [name for name in names if not _is_private(name)]

    def _store(self, name: str, check: Callable[[], None]) -> Artifact:
        retry_policy = RetryPolicy(check=check)
        for attempt in range(2):
            if not self._is_sent(name):
                retry_policy(lambda: self._send(name))
            sent = self._sent[name]
            back = retry_policy(lambda: self._read_back(name))
            if back == sent.sha256:
                return Artifact(name, sent.size, back)
            self._forget(name)
            if attempt:
                raise TrainingError(
                    f"s3://{self._bucket}/{self._prefix}{name} reads back with sha256 {back}, but {sent.sha256} was "
                    "sent.",
                    code="checksum_mismatch",
                )
        raise AssertionError("unreachable")

    def _send(self, name: str) -> None:
        path, key = self._folder / name, self._prefix + name
        try:
            seen = path.stat()
            note = _Note(seen.st_size, seen.st_mtime_ns, sha256_file(path))
            content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            with aws.explained(f"store s3://{self._bucket}/{key}"):
                self._s3.upload_file(str(path), self._bucket, key, ExtraArgs={"ContentType": content_type})
        except FileNotFoundError as error:
            raise Vanished(f"{name} no longer exists.") from error
        self._remember({name: note})

    def _read_back(self, name: str) -> str:
        """Return the sha256 of what S3 gives back; reads again when the line breaks, which says nothing about the bytes."""
        key = self._prefix + name
        with aws.explained(f"read s3://{self._bucket}/{key}"):
            for attempt in range(READ_ATTEMPTS):
                try:
                    return sha256_stream(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"])
                except BROKEN_OFF:
                    if attempt == READ_ATTEMPTS - 1:
                        raise
                    time.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")

    def _drop_old(self, present: set[str]) -> None:
        """Delete checkpoints that we sent and that are not on the disk any more: their completion markers first."""
        gone = [name for name in self._sent if _step(name) >= 0 and name not in present]
        if not gone:
            return
        markers = [name for name in gone if name.endswith("/" + layout.COMPLETION_MARKER)]
        for part in (markers, [name for name in gone if name not in markers]):
            delete_objects(self._s3, self._bucket, [{"Key": self._prefix + name} for name in part])
        self._forget(*gone)

    def _is_sent(self, name: str) -> bool:
        note = self._sent.get(name)
        try:
            seen = (self._folder / name).stat()
        except FileNotFoundError:
            return False
        return note is not None and (note.size, note.mtime_ns) == (seen.st_size, seen.st_mtime_ns)

    def _remember(self, notes: dict[str, _Note]) -> None:
        with self._lock:
            self._sent |= notes
            self._write()

    def _forget(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._sent.pop(name, None)
            self._write()

    def _write(self) -> None:
        # A full disk must not keep results from reaching S3.
        with contextlib.suppress(OSError):
            partial = self._memory.with_suffix(".tmp")
            partial.write_text(json.dumps({name: asdict(note) for name, note in self._sent.items()}))
            partial.replace(self._memory)


def _in_order(names: list[str]) -> list[list[str]]:
    """Return `names` in parts that follow each other: newest checkpoint, its completion marker, the rest, its markers."""
    newest = max((_step(name) for name in names if name.endswith("/" + layout.COMPLETION_MARKER)), default=-1)
    parts: list[list[str]] = [[], [], [], []]
    for name in names:
        first = newest >= 0 and _step(name) == newest
        marker = _step(name) >= 0 and name.endswith("/" + layout.COMPLETION_MARKER)
        parts[(0 if first else 2) + marker].append(name)
    return [part for part in parts if part]


def _step(name: str) -> int:
    """Return the step of the checkpoint that a file belongs to, -1 when it belongs to none."""
    match = _CHECKPOINT.match(name)
    return int(match[1]) if match else -1


def _is_private(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] in PRIVATE or any(part.endswith(UNFINISHED) for part in parts)

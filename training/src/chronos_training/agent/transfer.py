"""Brings objects to the instance: fast with s5cmd, surely with boto3, and every sha256 checked before a file gets its name.

s5cmd copies into a folder of its own; each file is hashed as soon as it is whole, while its bytes are still in memory and
others are on their way. Whatever s5cmd did not bring, or not right, boto3 fetches again. boto3 with AWS's C client (awscrt)
is no substitute for both: it needs 1.7 times s5cmd's time for 2,000 files of 150 KB, and 1.6 times for eight of 40 MB.
"""

from __future__ import annotations

import hashlib
import logging
import math
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from boto3.s3.transfer import TransferConfig

from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import TrainingError
from chronos_training.core.hashing import sha256_file

from . import s5cmd

log = logging.getLogger(__name__)

WORKERS = 16
HASHERS = 4
ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
POLL_SECONDS = 0.5
LARGE_BYTES = 64 << 20
LARGE_MEAN_BYTES, FEW = 16 << 20, 3
# So many objects of a prefix may be left out of one copy of the whole prefix; beyond, each file is copied by name.
MOST_EXCLUDED = 50
MARGIN_BYTES = 256 << 20
CONFIG = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=8)
Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True)
class Wanted:
    """An object and where it has to lie: S3 key, final path, size in bytes, sha256 in hex."""

    key: str
    path: Path
    size: int
    sha256: str


class Failed(TrainingError):
    """An object that could not be fetched."""

    def __init__(self, wanted: Wanted, cause: TrainingError) -> None:
        """`cause` says why, in AWS's words or ours."""
        self.wanted = wanted
        super().__init__(cause.message, hint=cause.hint, code=cause.code)


class Corrupt(TrainingError):
    """An object whose bytes are not the published ones, asked for twice."""

    code = "checksum_mismatch"

    def __init__(self, wanted: Wanted, found: str) -> None:
        """`found` is the sha256 of what S3 gave."""
        self.wanted, self.found = wanted, found
        super().__init__(f"{wanted.key} is corrupt: its sha256 is {found}, not {wanted.sha256}.")


class _Cancelled(Exception):
    """Ends boto3's threads when the run has to stop."""


def fetch(
    s3: S3Client,
    bucket: str,
    wanted: Sequence[Wanted],
    staging: Path,
    progress: Progress = lambda done, total: None,
    *,
    prefix: str = "",
    program: Path | None = None,
) -> None:
    """Fetch every wanted object; those that lie there and are right are kept. `staging` must be on the same disk.

    `prefix` names what the wanted objects have in common when they are (nearly) all of what lies below it; one listing
    then saves a request for each file. `program` is s5cmd, by default the agent package's. `progress` is called at least
    once a second; what it raises ends the transfer. Raises Corrupt, Failed, or TrainingError when the disk is too small.
    """
    transfer = _Transfer(s3, bucket, wanted, staging, progress)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        transfer.keep_what_is_right()
        transfer.check_space()
        program = program or s5cmd.program()
        if transfer.missing and program:
            transfer.by_s5cmd(program, prefix)
        elif transfer.missing:
            log.warning("s5cmd is not in the agent package: downloading %d files with boto3", len(transfer.missing))
        transfer.by_boto3()
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _Transfer:
    def __init__(self, s3: S3Client, bucket: str, wanted: Sequence[Wanted], staging: Path, progress: Progress) -> None:
        self.s3, self.bucket, self.staging, self.progress = s3, bucket, staging, progress
        self.total = sum(one.size for one in wanted)
        self.missing = {one.key: one for one in wanted}
        self.done = 0  # bytes of verified files
        self.flying = 0  # bytes that boto3 received of files that are not verified yet
        self.wrong: dict[str, str] = {}  # key -> sha256 of what S3 gave
        self.lock = threading.Lock()
        self.cancelled = threading.Event()

    def keep_what_is_right(self) -> None:
        there = [one for one in self.missing.values() if one.path.is_file() and one.path.stat().st_size == one.size]
        with ThreadPoolExecutor(HASHERS) as pool:
            for one, found in zip(there, pool.map(lambda one: sha256_file(one.path), there), strict=True):
                if found == one.sha256:
                    self._arrived(one)

    def check_space(self) -> None:
        needed, free = sum(one.size for one in self.missing.values()), shutil.disk_usage(self.staging).free
        if self.missing and free < needed + MARGIN_BYTES:
            raise TrainingError(
                f"{free / 1e9:.1f} GB are free below {self.staging.parent}, but {needed / 1e9:.1f} GB must be "
                "downloaded.",
                hint="Raise training_launch_volume_gb.",
                code="insufficient_disk",
            )

    def by_s5cmd(self, program: Path, prefix: str) -> None:
        with ThreadPoolExecutor(HASHERS) as pool:
            commands = list(self._commands(prefix))
            one_large = len(commands) == 1 and self._are_large()

            def copied(source: str, destination: str) -> None:
                one = self.missing.get(source.removeprefix(f"s3://{self.bucket}/"))
                if one is not None:
                    part = s5cmd.LARGE_PART_MB if one_large or one.size > LARGE_BYTES else s5cmd.PART_MB
                    aws.SENT.add(reads=max(1, math.ceil(one.size / (part << 20))))
                    pool.submit(self._accept, one, Path(destination))

            error = s5cmd.run(program, self.s3, commands, copied, self._report, self._workers())
        if self.missing:
            left = f"downloading {len(self.missing)} files with boto3 instead"
            log.warning("s5cmd did not download everything (%s): %s", error or "corrupt files", left)

    def _commands(self, prefix: str) -> Iterator[str]:
        root = f"s3://{self.bucket}/"
        others = self._others(prefix) if prefix and len(self.missing) > 1 else None
        if others is not None and len(others) <= MOST_EXCLUDED:
            # One listing and one request for each file; a copy by name costs a second request for its size.
            words = [word for key in others for word in ("--exclude", key[len(prefix) :])]
            aws.SENT.add(writes=math.ceil((len(self.missing) + len(others)) / 1000))  # its own listing
            yield shlex.join(
                ["cp", *(s5cmd.LARGE if self._are_large() else ()), *words, f"{root}{prefix}*", f"{self.staging}/"]
            )
            return
        for number, one in enumerate(self.missing.values()):
            large = s5cmd.LARGE if one.size > LARGE_BYTES else ()
            aws.SENT.add(reads=1)
            yield shlex.join(["cp", "--raw", *large, root + one.key, str(self.staging / str(number))])

    def _are_large(self) -> bool:
        return sum(one.size for one in self.missing.values()) > LARGE_MEAN_BYTES * len(self.missing)

    def _workers(self) -> int:
        """Large files come a few at a time, in parts: all at once they would end at once, and be hashed when the line is idle."""
        return FEW if self._are_large() else s5cmd.WORKERS

    def _others(self, prefix: str) -> list[str] | None:
        """Return the keys below `prefix` that are not missing here, or None when they cannot be listed."""
        try:
            with aws.explained(f"list s3://{self.bucket}/{prefix}"):
                pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
                keys = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        except TrainingError as error:
            log.warning("%s", error)
            return None
        return sorted(keys - set(self.missing))

    def by_boto3(self) -> None:
        """Fetch what is missing, each file some times before giving up."""
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs: set[Future[None]] = {pool.submit(self._fetch, one) for one in list(self.missing.values())}
            try:
                while jobs:
                    ended, jobs = wait(jobs, POLL_SECONDS, FIRST_COMPLETED)
                    for job in ended:
                        job.result()
                    self.progress(min(self.done + self.flying, self.total), self.total)
            except BaseException:
                self.cancelled.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch(self, one: Wanted) -> None:
        # Named after the key: two files with the same content arrive at the same time, each under its own name.
        partial = self.staging / f"{hashlib.sha256(one.key.encode()).hexdigest()}.boto3"
        for attempt in range(ATTEMPTS):
            received = 0

            def count(size: int) -> None:
                nonlocal received
                if self.cancelled.is_set():
                    raise _Cancelled
                received += size
                with self.lock:
                    self.flying += size

            try:
                with aws.explained(f"fetch s3://{self.bucket}/{one.key}"):
                    self.s3.download_file(self.bucket, one.key, str(partial), Callback=count, Config=CONFIG)
                before = self.wrong.get(one.key)
                if self._accept(one, partial):
                    return
                if self.wrong[one.key] == before:  # two readings agree: it is not the line
                    raise Corrupt(one, self.wrong[one.key])
            except Corrupt:
                raise
            except TrainingError as error:
                if attempt == ATTEMPTS - 1:
                    raise Failed(one, error) from error
            finally:
                with self.lock:
                    self.flying -= received
            if self.cancelled.wait(BACKOFF_SECONDS * 2**attempt):
                return
        raise Corrupt(one, self.wrong[one.key])

    def _accept(self, one: Wanted, path: Path) -> bool:
        """Give a file that arrived its name if it is what was published; delete it if not."""
        found = sha256_file(path)
        if found != one.sha256:
            self.wrong[one.key] = found
            path.unlink()
            return False
        one.path.parent.mkdir(parents=True, exist_ok=True)
        path.rename(one.path)
        self._arrived(one)
        return True

    def _arrived(self, one: Wanted) -> None:
        with self.lock:
            del self.missing[one.key]
            self.done += one.size

    def _report(self) -> int:
        """Tell the progress from the files on disk: what is whole and verified, and the blocks of what is arriving."""
        arriving = 0
        for path in self.staging.rglob("*"):
            try:
                arriving += path.stat().st_blocks * 512  # parts are written out of order: the size says nothing
            except FileNotFoundError:  # renamed meanwhile
                continue
        done = min(self.done + arriving, self.total)
        self.progress(done, self.total)
        return done

"""Brings the dataset to the instance: resumable, parallel, and every sha256 checked before a file gets its name (R19)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import DataError, TrainingError
from chronos_training.core.hashing import sha256_file
from chronos_training.core.manifest import DataFile, Manifest, parse_manifest
from chronos_training.core.objects import get_bytes

WORKERS = 16
ATTEMPTS = 3
Progress = Callable[[int, int], None]  # bytes done, bytes in all


def read_manifest(s3: Any, bucket: str, key: str, digest: str) -> Manifest:
    """Return the dataset's manifest. DataError when it is missing or no longer the one the run was launched with."""
    url = f"s3://{bucket}/{key}"
    with aws.explained(f"read the manifest {url}"):
        manifest = parse_manifest(get_bytes(s3, bucket, key), url)
    if manifest.digest != digest:
        raise DataError(
            f"Dataset {manifest.name} was published anew since the launch: digest {manifest.digest[:12]}, "
            f"not {digest[:12]}.",
            hint="Launch again to train on the new data.",
        )
    return manifest


def sync_dataset(s3: Any, bucket: str, prefix: str, manifest: Manifest, target: Path, progress: Progress) -> None:
    """Download every file of `manifest` from `prefix` into `target`. Files that are there and right are kept.

    Raises DataError with the name and both hashes of the first file that is not what the manifest says.
    """
    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = {pool.submit(_fetch, s3, bucket, prefix, file, target): file for file in manifest.files}
        try:
            for job in as_completed(jobs):
                job.result()
                done += jobs[job].size
                progress(done, manifest.total_bytes)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch(s3: Any, bucket: str, prefix: str, file: DataFile, target: Path) -> None:
    path = target / file.path
    if path.exists() and path.stat().st_size == file.size and sha256_file(path) == file.sha256:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    url = f"s3://{bucket}/{prefix}{file.path}"
    found = ""
    for attempt in range(ATTEMPTS):
        try:
            with aws.explained(f"fetch {url}"):
                s3.download_file(bucket, prefix + file.path, str(partial))
        except TrainingError as error:
            if attempt == ATTEMPTS - 1:
                raise DataError(error.message, hint=error.hint) from error
        else:
            found = sha256_file(partial)
            if found == file.sha256:
                partial.rename(path)
                return
            partial.unlink()
        time.sleep(2**attempt)
    raise DataError(
        f"Data file {file.path} is corrupt: its sha256 is {found}, the manifest says {file.sha256}.",
        hint=f"Publish the dataset again ({url}).",
    )

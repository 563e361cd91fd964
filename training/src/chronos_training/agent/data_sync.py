"""Brings the dataset to the instance: resumable, parallel, and every sha256 checked before a file gets its name (R19)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import DataError
from chronos_training.core.manifest import DataFile, Manifest, parse_manifest
from chronos_training.core.objects import get_bytes

from . import transfer
from .transfer import Progress, Wanted


def read_manifest(s3: S3Client, bucket: str, key: str, digest: str) -> Manifest:
    """Return the dataset's manifest. DataError when it is missing or no longer the one the run was launched with."""
    url = f"s3://{bucket}/{key}"
    with aws.explained(f"read the manifest {url}"):
        manifest = parse_manifest(get_bytes(s3, bucket, key), url)
    if manifest.digest != digest:
        raise DataError(
            f"Dataset {manifest.name} was published again after the launch: digest {manifest.digest[:12]}, "
            f"not {digest[:12]}.",
            hint="Launch again to train on the new data.",
        )
    return manifest


def sync_dataset(
    s3: S3Client,
    bucket: str,
    prefix: str,
    manifest: Manifest,
    target: Path,
    progress: Progress,
    *,
    program: Path | None = None,
) -> None:
    """Download every file of `manifest` from `prefix` into `target`. Files that are there and right are kept.

    `program` is s5cmd, by default the agent package's. Raises DataError with the name and both hashes of the first file
    that is not what the manifest says, or with what S3 said about one that is not available.
    """
    wanted = [Wanted(prefix + file.path, target / file.path, file.size, file.sha256) for file in manifest.files]
    staging = target.with_name(target.name + ".partial")
    try:
        transfer.fetch(s3, bucket, wanted, staging, progress, prefix=prefix, program=program)
    except transfer.Corrupt as error:
        raise DataError(
            f"Data file {error.wanted.key[len(prefix) :]} is corrupt: its sha256 is {error.found}, "
            f"the manifest says {error.wanted.sha256}.",
            hint=f"Publish the dataset again (s3://{bucket}/{error.wanted.key}).",
            code=error.code,
        ) from error
    except transfer.Failed as error:
        raise DataError(error.message, hint=error.hint, code=error.code) from error


def sync_files(
    s3: S3Client, bucket: str, prefix: str, files: Sequence[DataFile], target: Path, what: str, progress: Progress
) -> None:
    """Download `files`, which lie below `prefix`, into `target`. DataError that names `what`."""
    wanted = [Wanted(prefix + file.path, target / file.path, file.size, file.sha256) for file in files]
    try:
        transfer.fetch(s3, bucket, wanted, target.with_name(target.name + ".partial"), progress)
    except transfer.Corrupt as error:
        raise DataError(
            f"File {error.wanted.path.name} of {what} is corrupt: its sha256 is {error.found}, "
            f"not {error.wanted.sha256}.",
            hint=f"Inspect it, or publish it again (s3://{bucket}/{error.wanted.key}).",
            code=error.code,
        ) from error
    except transfer.Failed as error:
        raise DataError(error.message, hint=error.hint, code=error.code) from error

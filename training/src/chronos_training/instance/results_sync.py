"""Brings the results to S3 and reads every one back: success is claimed only for bytes that S3 gave back (R26)."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError
from chronos_training.core.hashing import sha256_file, sha256_stream
from chronos_training.core.objects import ATTEMPTS, BROKEN_OFF

WORKERS = 8
# Only of use to the pipeline itself, while it runs.
PRIVATE = {"progress.json"}
# What was being written when the run was ended: a torn checkpoint is no result.
UNFINISHED = (".partial", ".tmp")


@dataclass(frozen=True)
class Artifact:
    """One uploaded file: key relative to the run's prefix, size in bytes, sha256 as read back from S3."""

    path: str
    size: int
    sha256: str


def upload_results(
    s3: Any, bucket: str, prefix: str, folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[dict[str, Any]]:
    """Upload all files below `folder` to `prefix`, read each back, and return them as JSON objects sorted by path.

    Raises TrainingError with the name of a file whose bytes did not come back as they were sent.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_private(path.relative_to(folder)))
    artifacts: list[Artifact] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for artifact in pool.map(lambda path: _upload(s3, bucket, prefix, folder, path), files):
            artifacts.append(artifact)
            progress(len(artifacts), len(files))
    return [asdict(artifact) for artifact in artifacts]


def _is_private(path: Path) -> bool:
    return path.name in PRIVATE or any(part.endswith(UNFINISHED) for part in path.parts)


def _upload(s3: Any, bucket: str, prefix: str, folder: Path, path: Path) -> Artifact:
    name = path.relative_to(folder).as_posix()
    key = prefix + name
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    sent = sha256_file(path)
    with aws.explained(f"store s3://{bucket}/{key}"):
        s3.upload_file(str(path), bucket, key, ExtraArgs={"ContentType": content_type})
        back = _read_back(s3, bucket, key)
    if back != sent:
        raise TrainingError(f"s3://{bucket}/{key} came back with sha256 {back}, but {sent} was sent.")
    return Artifact(name, path.stat().st_size, back)


def _read_back(s3: Any, bucket: str, key: str) -> str:
    """Return the sha256 of what S3 gives back; reads again when the line breaks, which says nothing about the bytes."""
    for attempt in range(ATTEMPTS):
        try:
            return sha256_stream(s3.get_object(Bucket=bucket, Key=key)["Body"])
        except BROKEN_OFF:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")

"""The prebuilt Python environment: fetched by digest, verified, unpacked, then renamed into place (R12)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from chronos_training.core import aws
from chronos_training.core.errors import TrainingError
from chronos_training.core.hashing import sha256_file

TRANSFER = TransferConfig(multipart_chunksize=16 << 20, max_concurrency=8)


def install_environment(
    s3: Any, bucket: str, key: str, sha256: str, target: Path, say: Callable[[str], None] = lambda line: None
) -> Path:
    """Fetch and unpack the environment into `target`; return its Python. Raises TrainingError naming the archive.

    An archive whose sha256 differs is never unpacked; a half-unpacked folder never gets the final name.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        archive, partial = target.parent / "environment.tar.zst", target.parent / "environment.partial"
        shutil.rmtree(partial, ignore_errors=True)
        say("fetching the environment")
        with aws.explained(f"fetch s3://{bucket}/{key}"):
            s3.download_file(bucket, key, str(archive), Config=TRANSFER)
        found = sha256_file(archive)
        if found != sha256:
            raise TrainingError(
                f"The environment s3://{bucket}/{key} is corrupt: its sha256 is {found}, not {sha256}.",
                hint="Publish the runtime again.",
            )
        say("unpacking the environment")
        partial.mkdir()
        _unpack(archive, partial)
        partial.rename(target)
        archive.unlink()
    python = target / "bin/python3"
    if not os.access(python, os.X_OK):
        raise TrainingError(
            f"The environment s3://{bucket}/{key} holds no bin/python3.", hint="Publish the runtime again."
        )
    return python


def _unpack(archive: Path, target: Path) -> None:
    # Two programs in a pipe, so that decompression and writing use a core each.
    zstd = subprocess.Popen(["zstd", "-dcq", str(archive)], stdout=subprocess.PIPE)
    tar = subprocess.run(["tar", "-xf", "-", "-C", str(target)], stdin=zstd.stdout, check=False)
    assert zstd.stdout is not None
    zstd.stdout.close()
    if zstd.wait() != 0 or tar.returncode != 0:
        raise TrainingError(f"The environment could not be unpacked (zstd {zstd.returncode}, tar {tar.returncode}).")

"""The bytes of images on this disk: one file for one digest, whichever repositories have it.

registry/blobs/<sha256>     a layer, a configuration
registry/uploads/<id>       what has arrived of an upload
Which repository has which blob is in moto's `Repository.layers`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
CHUNK = 1024 * 1024  # bytes


class WrongDigest(Exception):
    """What arrived is not what was announced. `args[0]` is the digest that it has."""


class Blobs:
    """Thread-safe as far as files are: each upload belongs to one client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs, self._uploads = folder / "blobs", folder / "uploads"

    def path(self, digest: str) -> Path:
        """Where the blob is or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def append(self, upload: str, chunks: Iterable[bytes]) -> int:
        """Add to an upload; return how many bytes it has."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        with (self._uploads / upload).open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
            return file.tell()

    def size(self, upload: str) -> int:
        """How many bytes an upload has."""
        path = self._uploads / upload
        return path.stat().st_size if path.exists() else 0

    def finish(self, upload: str, expected: str | None = None) -> tuple[str, int]:
        """Make a blob of an upload; return its digest and size. WrongDigest when that is not the expected one."""
        self.append(upload, ())
        path = self._uploads / upload
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        if expected is not None and digest != expected:
            path.unlink()
            raise WrongDigest(digest)
        size = path.stat().st_size
        self._blobs.mkdir(parents=True, exist_ok=True)
        os.replace(path, self.path(digest))
        return digest, size

    def abandon(self, upload: str) -> None:
        """Forget an upload."""
        (self._uploads / upload).unlink(missing_ok=True)

    def delete(self, digest: str) -> None:
        """Forget a blob."""
        self.path(digest).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder, ignore_errors=True)


def chunks_of(stream: BinaryIO, length: int | None = None) -> Iterable[bytes]:
    """Read `length` bytes, or to the end, in pieces. ConnectionError when the client sent less."""
    left = length
    while left is None or left:
        chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            break
        if left is not None:
            left -= len(chunk)
        yield chunk
    if left:
        raise ConnectionError(f"the client sent {left} bytes less than it announced")

"""sha256 of files and streams, in bounded memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


def sha256_stream(stream: Any) -> str:
    """Return the sha256 (hex) of everything that `stream.read(n)` gives."""
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 (hex) of the file's bytes."""
    with path.open("rb") as stream:
        return sha256_stream(stream)

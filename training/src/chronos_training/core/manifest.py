"""A dataset's manifest, as far as the run's life needs it: names, sizes and hashes of its files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .errors import DataError

SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class DataFile:
    """One file of a dataset: path relative to the dataset's prefix, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The checked manifest. `content` is the whole JSON object."""

    name: str
    digest: str
    files: tuple[DataFile, ...]
    content: dict[str, Any]

    @property
    def total_bytes(self) -> int:
        """Return the sum of the sizes of the files."""
        return sum(file.size for file in self.files)


def digest_of(files: tuple[DataFile, ...]) -> str:
    """Return the dataset's digest: sha256 over the sorted lines `path sha256`."""
    lines = sorted(f"{file.path} {file.sha256}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parse_manifest(body: bytes, url: str) -> Manifest:
    """Return the manifest in `body`. DataError naming `url` and the first thing that is wrong with it."""

    def fail(why: str) -> DataError:
        return DataError(f"{url} is not a usable manifest: {why}.", hint="Publish the dataset again.")

    try:
        content = json.loads(body)
        files = tuple(DataFile(f["path"], int(f["size"]), f["sha256"]) for f in content["files"])
        name, digest = content["name"], content["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise fail(f"{type(error).__name__}: {error}") from error
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise fail(f"the path {file.path!r} leaves the dataset")
        if not SHA256.match(file.sha256):
            raise fail(f"the sha256 of {file.path} is {file.sha256!r}")
    if not files:
        raise fail("it names no file")
    if digest != digest_of(files):
        raise fail("its digest does not fit its files")
    return Manifest(name, digest, files, content)

"""A dataset's manifest: what it holds, and the sha256 of every file. Standard library only; read everywhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .errors import DataError

SHA256 = re.compile(r"^[0-9a-f]{64}$")
REQUIRED = {
    "schema_version": int,
    "name": str,
    "freq": str,
    "columns": dict,
    "item_id_column": str,
    "timestamp_column": str,
    "target_columns": list,
    "items": int,
    "rows": int,
    "shortest_series": int,
    "longest_series": int,
    "digest": str,
    "files": list,
}


def dataset_digest(files: Iterable[dict[str, Any]]) -> str:
    """Return the sha256 in hex over the sorted lines `<path> <sha256>` of the files: the identity of the data."""
    lines = sorted(f"{entry['path']} {entry['sha256']}\n" for entry in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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


def parse_manifest(body: bytes, url: str) -> Manifest:
    """Return the checked manifest in `body`. DataError names `url` and what is wrong with it."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise DataError(f"{url}: the manifest is not JSON: {error}.", hint="Publish the dataset again.") from error
    check_manifest(content, url)
    files = tuple(DataFile(f["path"], int(f["size"]), f["sha256"]) for f in content["files"])
    return Manifest(content["name"], content["digest"], files, content)


def check_manifest(manifest: Any, where: str) -> None:
    """Raise DataError when `manifest` is not one of schema version 1, whose files and digest agree."""
    if not isinstance(manifest, dict):
        raise DataError(f"{where}: the manifest is not a JSON object.")
    wrong = [
        f"{key} is missing" if key not in manifest else f"{key} must be {kind.__name__}"
        for key, kind in REQUIRED.items()
        if not isinstance(manifest.get(key), kind)
    ]
    if wrong:
        raise DataError(f"{where}: {'; '.join(wrong)}.")
    if manifest["schema_version"] != 1:
        raise DataError(f"{where}: schema version {manifest['schema_version']} is not known (this version reads 1).")
    for entry in manifest["files"]:
        if not isinstance(entry, dict) or not {"path", "size", "rows", "sha256"} <= set(entry):
            raise DataError(f"{where}: an entry in files lacks path, size, rows or sha256.")
        for key in ("size", "rows"):
            if not isinstance(entry[key], int) or isinstance(entry[key], bool) or entry[key] < 0:
                raise DataError(f"{where}: {key} of {entry['path']} is {entry[key]!r}, not a count.")
        parts = PurePosixPath(str(entry["path"])).parts
        # A path out of the folder would let a manifest write or read anywhere on the instance.
        if not parts or ".." in parts or str(entry["path"]).startswith(("/", "\\")) or "\\" in str(entry["path"]):
            raise DataError(f"{where}: {entry['path']!r} is not a path inside the dataset.")
        if not SHA256.match(str(entry["sha256"])):
            raise DataError(f"{where}: the sha256 of {entry['path']} is {entry['sha256']!r}.")
    if not manifest["files"]:
        raise DataError(f"{where}: the dataset has no files.")
    if (digest := dataset_digest(manifest["files"])) != manifest["digest"]:
        raise DataError(f"{where}: digest {manifest['digest'][:12]}… does not match the files listed ({digest[:12]}…).")

"""The manifest of a dataset: what it holds, and the hash of every file. Standard library only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from chronos_training.core.errors import DataError
from chronos_training.core.hashing import sha256_file

MANIFEST = "manifest.json"
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


def build_manifest(folder: Path, rows_of: dict[str, int], about: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of the Parquet files below `folder`.

    `rows_of` maps each relative POSIX path to its number of rows; `about` holds the rest (name, freq, columns, …).
    """
    files = []
    for relative in sorted(rows_of):
        path = folder / relative
        files.append(
            {"path": relative, "size": path.stat().st_size, "rows": rows_of[relative], "sha256": sha256_file(path)}
        )
    created = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"schema_version": 1, "created_at": created, **about, "digest": dataset_digest(files), "files": files}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the checked manifest of `folder`. DataError says what is missing or wrong in it."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: the dataset has no manifest.", hint="Publish it with publish_dataset.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: the manifest cannot be read: {error}.") from None
    check_manifest(manifest, str(path))
    return dict(manifest)


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
            raise DataError(f"{where}: an entry of files lacks path, size, rows or sha256.")
        parts = PurePosixPath(str(entry["path"])).parts
        # A path out of the folder would let a manifest write or read anywhere on the instance.
        if not parts or ".." in parts or str(entry["path"]).startswith(("/", "\\")) or "\\" in str(entry["path"]):
            raise DataError(f"{where}: {entry['path']!r} is not a path inside the dataset.")
    if not manifest["files"]:
        raise DataError(f"{where}: the dataset has no files.")
    if (digest := dataset_digest(manifest["files"])) != manifest["digest"]:
        raise DataError(f"{where}: digest {manifest['digest'][:12]}… does not match the files listed ({digest[:12]}…).")


def verify_files(folder: Path, manifest: dict[str, Any], *, threads: int = 8) -> None:
    """Raise DataError that names the first file of the manifest that is missing, or whose size or sha256 differs."""

    def check(entry: dict[str, Any]) -> None:
        path = folder / entry["path"]
        if not path.is_file():
            raise DataError(f"{path}: the file is in the manifest but not in the folder.")
        if (size := path.stat().st_size) != entry["size"]:
            raise DataError(f"{path}: {size:,} bytes, but the manifest says {entry['size']:,}: the file is corrupt.")
        if (sha := sha256_file(path)) != entry["sha256"]:
            raise DataError(
                f"{path}: sha256 {sha[:12]}…, but the manifest says {entry['sha256'][:12]}…: the file is corrupt."
            )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(check, manifest["files"]))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write manifest.json into `folder` and return its path."""
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path

"""The manifest of a dataset: what it holds, and the hash of every file. Standard library only."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import DataError
from chronos_training.core.hashing import sha256_file
from chronos_training.core.manifest import check_manifest, dataset_digest

MANIFEST = "manifest.json"


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
    return {"schema_version": 1, "created_at": iso(utc_now()), **about, "digest": dataset_digest(files), "files": files}


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

"""Faults of a prepared folder: the change that is made to it, and what the refusal has to name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chronos_training.core.hashing import sha256_file
from chronos_training.core.manifest import dataset_digest
from chronos_training.data.manifest import write_manifest

FIRST = "2020/01/part-0.parquet"
Change = Callable[[Path], None]


def content(folder: Path) -> dict[str, Any]:
    """Return the manifest as it lies there."""
    return dict(json.loads((folder / "manifest.json").read_text()))


def raw(text: str | bytes) -> Change:
    """Return what replaces the manifest."""
    return lambda folder: (
        (folder / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode()) and None
    )


def keys(**changed: Any) -> Change:
    """Return what changes keys of the manifest."""
    return lambda folder: write_manifest(folder, {**content(folder), **changed}) and None


def without(key: str) -> Change:
    """Return what removes a key of the manifest."""
    return lambda folder: write_manifest(folder, {k: v for k, v in content(folder).items() if k != key}) and None


def entry(**changed: Any) -> Change:
    """Return what changes the first file's entry; the digest is made to agree."""

    def change(folder: Path) -> None:
        manifest = content(folder)
        manifest["files"][0] |= changed
        manifest["digest"] = dataset_digest(manifest["files"])
        write_manifest(folder, manifest)

    return change


def table(change: Callable[[pa.Table], pa.Table]) -> Change:
    """Return what rewrites the first file; the manifest's sizes and hashes are made to agree."""

    def apply(folder: Path) -> None:
        with pq.ParquetFile(folder / FIRST) as file:
            rewritten = change(file.read())
        pq.write_table(rewritten, folder / FIRST)
        entry(size=(folder / FIRST).stat().st_size, sha256=sha256_file(folder / FIRST))(folder)

    return apply


def cast(column: str, kind: pa.DataType) -> Change:
    """Return what gives a column another type."""
    return table(lambda t: t.set_column(t.column_names.index(column), column, t.column(column).cast(kind)))


def emptied(column: str) -> Change:
    """Return what makes a column all null."""
    return table(
        lambda t: t.set_column(t.column_names.index(column), column, pa.nulls(len(t), t.schema.field(column).type))
    )


def flipped(folder: Path) -> None:
    """One bit differs, the length does not."""
    path = folder / FIRST
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def folder_in_place(folder: Path) -> None:
    """A folder lies where the file should."""
    (folder / FIRST).unlink()
    (folder / FIRST).mkdir()


MANIFESTS: list[tuple[str, Change, str]] = [
    ("no manifest", lambda f: (f / "manifest.json").unlink(), "manifest.json: the dataset has no manifest"),
    ("no folder", lambda f: shutil.rmtree(f), "manifest.json: the dataset has no manifest"),
    ("empty", raw(""), "manifest.json: the manifest cannot be read"),
    ("not JSON", raw("{'name': 1}"), "manifest.json: the manifest cannot be read"),
    ("bad encoding", raw(b'{"name": "\xff"}'), "manifest.json: the manifest cannot be read"),
    ("a list", raw("[]"), "manifest.json: the manifest is not a JSON object"),
    ("newer schema", keys(schema_version=2), "schema version 2 is not known"),
    ("no freq", without("freq"), "freq is missing"),
    ("no target columns", without("target_columns"), "target_columns is missing"),
    ("rows as text", keys(rows="270"), "rows must be int"),
    ("no files", keys(files=[]), "the dataset has no files"),
    ("files as text", keys(files="all"), "files must be list"),
    ("wrong digest", keys(digest="0" * 64), "does not match the files listed"),
    ("path out of the folder", entry(path="../x.parquet"), "'../x.parquet' is not a path inside the dataset"),
    ("absolute path", entry(path="/etc/passwd"), "'/etc/passwd' is not a path inside the dataset"),
    ("short hash", entry(sha256="abc"), f"the sha256 of {FIRST} is 'abc'"),
    ("wrong hash", entry(sha256="1" * 64), f"{FIRST}: sha256"),
    ("wrong size", entry(size=5), "but the manifest says 5"),
    ("size as text", entry(size="big"), f"size of {FIRST} is 'big', not a count"),
    ("negative rows", entry(rows=-1), f"rows of {FIRST} is -1, not a count"),
    ("wrong rows of a file", entry(rows=7), "51 rows, but the manifest says 7"),
    ("wrong rows in all", keys(rows=271), "270 rows, but the manifest says 271"),
    ("entry without rows", keys(files=[{"path": FIRST, "size": 1, "sha256": "0" * 64}]), "lacks path, size, rows or sha256"),
    ("a file is missing", lambda f: (f / FIRST).unlink(), f"{FIRST}: the file is in the manifest but not in the folder"),
    ("a folder for a file", folder_in_place, f"{FIRST}: the file is in the manifest but not in the folder"),
    ("flipped bit", flipped, f"{FIRST}: sha256"),
    ("cut file", lambda f: (f / FIRST).write_bytes((f / FIRST).read_bytes()[:-9]) and None, "the file is corrupt"),
    ("whole numbers as items", table(lambda t: t.set_column(0, "item_id", pa.array(range(len(t))))), "item_id is int64"),
    ("text as timestamps", cast("timestamp", pa.string()), "timestamp is string"),
    ("text as target", cast("target", pa.string()), "target is string"),
    ("no item ids", emptied("item_id"), "rows without item or timestamp"),
    ("no timestamps", emptied("timestamp"), "rows without item or timestamp"),
    ("no target column", table(lambda t: t.drop_columns(["target"])), "column target is missing"),
    ("rows twice", table(lambda t: pa.concat_tables([t.slice(0, 50), t.slice(0, 1)])), "rows that share a time"),
    ("other steps", keys(freq="h"), "or steps other than 'h'"),
]  # fmt: skip

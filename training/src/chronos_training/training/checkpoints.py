"""Checkpoints that are either complete or not there.

The Trainer writes a checkpoint file by file into its final folder; a process that ends meanwhile leaves a torn one under
a good name. So it writes below `checkpoints/.partial/`, and a finished checkpoint gets a completion marker with the
size and hash of each file and is then renamed to `checkpoints/checkpoint-N`. Only one that has the marker, and whose files
agree with it, is resumed from, which also refuses one that was cut off on its way from or to S3.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from chronos_training.core.errors import ConfigurationError
from chronos_training.core.hashing import sha256_file
from chronos_training.core.layout import COMPLETION_MARKER

PARTIAL = ".partial"
_NAME = re.compile(r"^checkpoint-(\d+)$")


def write_completion_marker(folder: Path, step: int, fingerprint: str) -> None:
    """Write the completion marker of a finished checkpoint: step, fingerprint, and size and sha256 of every file."""
    files = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != COMPLETION_MARKER
    }
    (folder / COMPLETION_MARKER).write_text(
        json.dumps({"step": step, "fingerprint": fingerprint, "files": files}, indent=1), encoding="utf-8"
    )


def publish(partial: Path, step: int, keep: int, fingerprint: str, best: int | None = None, first: int = 0) -> Path:
    """Complete `partial`/checkpoint-N: mark it, move it beside the folder `partial` as checkpoint-(first + N), and return its path.

    All but the newest `keep` and the one of the step `best` are dropped.
    """
    source, target = partial / f"checkpoint-{step}", partial.parent / f"checkpoint-{first + step}"
    write_completion_marker(source, first + step, fingerprint)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(source, target)
    for old in steps_in(partial.parent)[:-keep]:
        if old != best:
            shutil.rmtree(partial.parent / f"checkpoint-{old}", ignore_errors=True)
    return target


def steps_in(folder: Path) -> list[int]:
    """Return the steps of the checkpoint folders, ascending, complete or not."""
    if not folder.is_dir():
        return []
    return sorted(int(m.group(1)) for p in folder.iterdir() if p.is_dir() and (m := _NAME.match(p.name)))


def complete(folder: Path, fingerprint: str, most: int | None = None) -> tuple[list[int], list[str]]:
    """Return the steps of the (`most` newest) complete checkpoints, newest first, and a sentence for each torn one met.

    ConfigurationError when a complete one belongs to another configuration or dataset: resuming from it would give a
    model that neither of them describes.
    """
    found: list[int] = []
    skipped = []
    for step in reversed(steps_in(folder)):
        path = folder / f"checkpoint-{step}"
        if reason := torn(path):
            skipped.append(f"{path.name} is incomplete ({reason}) and is not used.")
            continue
        if json.loads((path / COMPLETION_MARKER).read_text(encoding="utf-8"))["fingerprint"] != fingerprint:
            raise ConfigurationError(
                f"{path} was written with another configuration or dataset.",
                hint="Use an empty output folder.",
            )
        found.append(step)
        if len(found) == most:
            break
    return found, skipped


def torn(path: Path) -> str:
    """Return why a checkpoint is not complete, or an empty text."""
    try:
        content: dict[str, Any] = json.loads((path / COMPLETION_MARKER).read_text(encoding="utf-8"))
        files = dict(content["files"])
        content["fingerprint"]
    except FileNotFoundError:
        return f"{COMPLETION_MARKER} is missing"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{COMPLETION_MARKER} cannot be read"
    for name, entry in files.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != entry["size"] or sha256_file(file) != entry["sha256"]:
            return f"{name} differs from its hash"
    return ""

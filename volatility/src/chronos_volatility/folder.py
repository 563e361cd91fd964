"""Files of a folder that appear whole or not at all, and one file that changes by compare-and-swap.

A file is written beside its place first, in `.incoming`, so that whoever is killed while writing leaves nothing under a
name that is read. A hard link then gives it its name: unlike a rename, it refuses a name that is taken.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronos_training.core.errors import PermissionDenied, TrainingError
from chronos_training.core.wire import Answer, Version

INCOMING = ".incoming"
LOCKS = ".locks"
ABANDONED_SECONDS = 24 * 3600.0  # nobody writes one file for a day: its writer was killed


def create_file(folder: Path, path: Path, body: bytes) -> bool:
    """Write `body` as `path`, which is below `folder`. False when a file of this name is there. TrainingError."""
    try:
        with _incoming(folder, body) as ready:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(ready, path)
            except FileExistsError:
                return False
    except PermissionError as error:
        raise PermissionDenied(f"No permission to write {path}.") from error
    except OSError as error:
        raise TrainingError(f"Could not write {path}: {error.strerror}.") from error
    return True


def files_below(folder: Path, prefix: str) -> list[str]:
    """Return the paths below `folder`, relative to it and sorted, that begin with `prefix`. Hidden names are none."""
    parent, _, _ = prefix.rpartition("/")
    found: list[str] = []
    root = str(folder)  # joined as text: a Path for each of thousands of days takes as long as reading them
    waiting = [parent]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(f"{root}/{below}") as entries:
                for entry in entries:
                    name = f"{below}/{entry.name}" if below else entry.name
                    if entry.name.startswith(".") or not name.startswith(prefix):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name)
                    else:
                        found.append(name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise TrainingError(f"Could not list {folder / below}: {error.strerror}.") from error
    return sorted(found)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `.incoming` more than a day ago."""
    with suppress(OSError):
        for path in (folder / INCOMING).iterdir():
            if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)


class FileWire:
    """`chronos_training.core.wire.Wire` over one file: its ETag is the content's sha256, a lock makes check and write one."""

    def __init__(self, folder: Path, path: Path) -> None:
        """`path` is below `folder`, which also has the lock's file."""
        self.url, self.refusal = str(path), ""
        self._folder, self._path = folder, path
        self._lock = folder / LOCKS / hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest()[:16]

    def get(self) -> Version | None:
        """See `Wire.get`."""
        try:
            body = self._path.read_bytes()
            age = max(0.0, time.time() - self._path.stat().st_mtime)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrainingError(f"Could not read {self.url}: {error.strerror}.") from error
        return Version(body, _etag(body), age)

    def put(self, body: bytes, etag: str | None) -> tuple[Answer, str]:
        """See `Wire.put`."""
        try:
            with self._locked():
                current = self.get()
                if (current.etag if current else None) != etag:
                    self.refusal = "another version is stored"
                    return Answer.PRECONDITION_FAILED, ""
                with _incoming(self._folder, body) as ready:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(ready, self._path)
        except OSError as error:
            return self._refused(error), ""
        return Answer.DONE, _etag(body)

    def delete(self, etag: str) -> Answer:
        """See `Wire.delete`."""
        try:
            with self._locked():
                current = self.get()
                if current is None or current.etag != etag:
                    return Answer.NOT_FOUND if current is None else Answer.PRECONDITION_FAILED
                self._path.unlink()
        except OSError as error:
            return self._refused(error)
        return Answer.DONE

    def _refused(self, error: OSError) -> Answer:
        self.refusal = str(error.strerror)
        if isinstance(error, PermissionError):
            return Answer.DENIED
        raise TrainingError(f"Could not write {self.url}: {error.strerror}.") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, also by a killed process
            yield


@contextmanager
def _incoming(folder: Path, body: bytes) -> Iterator[Path]:
    """Give the path of a file with `body` in the folder's `.incoming`; it is gone at the end."""
    ready = folder / INCOMING / uuid.uuid4().hex
    try:
        ready.write_bytes(body)
    except FileNotFoundError:
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.write_bytes(body)
    try:
        yield ready
    finally:
        ready.unlink(missing_ok=True)


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

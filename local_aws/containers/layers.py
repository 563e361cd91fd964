"""Layers of what a builder has changed in a folder. The same content is the same layer, byte for byte."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_Fingerprints = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layer:
    """An archive, and the digest of it before it was compressed."""

    path: Path
    digest: str
    diff_id: str

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size


def fingerprints(root: Path) -> _Fingerprints:
    """Return what tells whether something below `root` was changed."""
    return {
        path.relative_to(root).as_posix(): (one.st_mode, one.st_size, one.st_mtime_ns, one.st_ino)
        if not stat.S_ISDIR(one.st_mode)
        else (one.st_mode,)
        for path in _below(root)
        if (one := path.lstat())
    }


def changed(before: _Fingerprints, after: _Fingerprints) -> list[str]:
    """Return the paths that are new or different, in order. Not Python's caches: they hold times, and are out of date."""
    return sorted(name for name, one in after.items() if before.get(name) != one and "__pycache__" not in name)


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield Path(folder, name)


def pack(root: Path, names: Iterable[str], target: Path) -> Layer:
    """Write an archive of `names` (paths below `root`) to `target`."""
    tar_digest = _Digest()
    with target.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
        tee = _Tee(packed, tar_digest)
        with tarfile.open(mode="w|", fileobj=tee, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for name in names:
                _add(archive, root / name, name)
    with target.open("rb") as packed_file:
        digest = hashlib.file_digest(packed_file, "sha256").hexdigest()
    return Layer(target, f"sha256:{digest}", f"sha256:{tar_digest.hash.hexdigest()}")


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    archive.inodes = {}  # type: ignore[attr-defined]  # no hard links: a layer is complete in itself
    member = archive.gettarinfo(path, name)
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    if member.isreg():
        with path.open("rb") as file:
            archive.addfile(member, file)
    else:
        archive.addfile(member)


class _Digest:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()


class _Tee:
    """Writes to a file and counts into a digest."""

    def __init__(self, file: Any, digest: _Digest) -> None:
        self._file, self._digest = file, digest

    def write(self, data: bytes) -> int:
        self._digest.hash.update(data)
        return int(self._file.write(data))

"""Archives that are the same bytes for the same content: sorted names, no owners, no times, two modes.

Equal content must give an equal sha256, because the digest is what decides whether anything is uploaded.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

# Level 3 packs a training environment about as fast as the disk reads it; level 19 saves a tenth of the size for
# a minute of work.
ZSTD_LEVEL = 3
_BUFFER = 1 << 20


@dataclass(frozen=True)
class Packed:
    """A written archive. Sizes in bytes; `unpacked_size` counts file contents only."""

    sha256: str
    size: int
    unpacked_size: int
    files: int


class _Digesting(io.RawIOBase):
    """A stream that hashes and counts what passes through it, so that the archive is not read a second time."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data))
        self.digest.update(view)
        self.size += len(view)
        return self._stream.write(view)


def _walk(folder: str, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (name in the archive, entry) of everything below `folder`, folders before their content, sorted."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        name = prefix + entry.name
        yield name, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, name + "/")


def _info(name: str, kind: bytes, *, executable: bool = False, size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)  # its defaults: uid, gid and mtime 0, no owner names
    info.type = kind
    info.size = size
    info.mode = 0o755 if executable or kind == tarfile.DIRTYPE else 0o644
    return info


def pack_folder(folder: Path, archive: Path, *, level: int = ZSTD_LEVEL) -> Packed:
    """Write `folder`'s content as a tar.zst to `archive`, compressing on all cores; return its digest and sizes.

    Links are kept as links; sockets, pipes and devices are left out. Raises OSError when a file cannot be read or the
    disk is full; what was written until then is the caller's to remove.
    """
    unpacked = files = 0
    with archive.open("wb") as stream:
        counted = _Digesting(stream)
        # One worker or ten give the same bytes; none at all gives others.
        threads = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
        with (
            compressor.stream_writer(cast(IO[bytes], counted), closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_BUFFER) as tar,
        ):
            tar.copybufsize = _BUFFER  # type: ignore[attr-defined] # the default of 16 KB costs a second
            for name, entry in _walk(str(folder)):
                if entry.is_symlink():
                    link = _info(name, tarfile.SYMTYPE)
                    link.linkname = str(Path(entry.path).readlink())
                    tar.addfile(link)
                elif entry.is_dir():
                    tar.addfile(_info(name, tarfile.DIRTYPE))
                elif entry.is_file():
                    about = entry.stat()
                    runs = bool(about.st_mode & stat.S_IXUSR)
                    with Path(entry.path).open("rb") as content:
                        tar.addfile(_info(name, tarfile.REGTYPE, executable=runs, size=about.st_size), content)
                    unpacked += about.st_size
                    files += 1
    return Packed(counted.digest.hexdigest(), counted.size, unpacked, files)


def pack_bytes(entries: Mapping[str, bytes], *, executable: Collection[str] = ()) -> bytes:
    """Return a tar.gz of `entries` (name → content), `executable` the programs. The same entries give the same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(entries):
            info = _info(name, tarfile.REGTYPE, executable=name in executable, size=len(entries[name]))
            tar.addfile(info, io.BytesIO(entries[name]))
    return buffer.getvalue()

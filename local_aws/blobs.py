"""Object bodies that live in files, are shared instead of copied, and are read in pieces."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PIECE = 1024 * 1024  # bytes that one step of an iteration yields


# The files that a restart after a crash found in use (persistence.py).
reopened: set[Path] = set()


class _File:
    """One file, deleted when the last Blob that uses it goes. After kill -9 it is still there for the next start."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = size

    @classmethod
    def make(cls, folder: Path, data: bytes) -> _File:
        descriptor, name = tempfile.mkstemp(dir=folder)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return cls(Path(name), descriptor, len(data))

    def __del__(self) -> None:
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (str(self.path), self.size)


def _reopen(name: str, size: int) -> _File:
    path = Path(name)
    reopened.add(path)
    return _File(path, os.open(path, os.O_RDONLY), size)


class Blob:
    """An immutable sequence of bytes: a list of (file, offset, length). Slicing and joining copy nothing.

    It behaves like bytes as far as moto's GetObject needs: len(), one slice with step 1, iteration. Iterating yields
    pieces (a WSGI answer), not numbers.
    """

    def __init__(self, segments: list[tuple[_File, int, int]]) -> None:
        self._segments = segments
        self._size = sum(length for _, _, length in segments)

    @classmethod
    def store(cls, folder: Path, data: bytes) -> Blob:
        file = _File.make(folder, data)
        return cls([(file, 0, file.size)])

    @classmethod
    def join(cls, blobs: list[Blob]) -> Blob:
        return cls([segment for blob in blobs for segment in blob._segments])

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        for file, offset, length in self._segments:
            end = offset + length
            while offset < end:
                # pread: several answers read one file at once
                piece = os.pread(file.descriptor, min(PIECE, end - offset), offset)
                if not piece:
                    raise OSError(f"an object's file ends {end - offset} bytes early")
                offset += len(piece)
                yield piece

    def __getitem__(self, wanted: slice) -> Blob:
        begin, end, step = wanted.indices(self._size)
        if step != 1:
            raise ValueError("a Blob has no steps")
        segments, position = [], 0
        for file, offset, length in self._segments:
            first, last = max(begin, position), min(end, position + length)
            if first < last:
                segments.append((file, offset + first - position, last - first))
            position += length
        return Blob(segments)

    def __bytes__(self) -> bytes:
        return b"".join(self)

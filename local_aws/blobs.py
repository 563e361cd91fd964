"""Object bodies that live in unlinked files, are shared instead of copied, and are read in pieces."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PIECE = 1024 * 1024  # bytes that one step of an iteration yields


class _File:
    """One unlinked file. The kernel frees it when the last Blob using it goes, also after kill -9."""

    def __init__(self, folder: Path, data: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)
        self.descriptor = descriptor
        self.size = len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def __del__(self) -> None:
        os.close(self.descriptor)


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
        file = _File(folder, data)
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

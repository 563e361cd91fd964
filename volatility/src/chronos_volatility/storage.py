"""Where everything is kept: a folder, or a prefix of an S3 bucket, behind one interface.

What is written under a key is never changed, with one exception: a pointer, which changes by compare-and-swap only
(`chronos_training.core.cas`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from botocore.config import Config

from chronos_training.core import aws, objects
from chronos_training.core.cas import ConditionalObject, Lost
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.core.wire import STATE_CONFIG, Answer, S3Wire
from chronos_volatility.folder import FileWire, create_file, files_below, sweep

THREADS = 16  # requests of one batch that are under way at once


class Conflict(TrainingError):
    """The key holds other bytes already."""

    code = "conflict"

    def __init__(self, url: str) -> None:
        """`url` is the object in the way."""
        super().__init__(f"{url} is there with other content, and what is stored is never overwritten.")


class Storage(Protocol):
    """Objects by key; a key has parts separated by `/`, and neither begins nor ends with one."""

    url: str

    def read(self, key: str) -> bytes | None:
        """Return the object's bytes, None when there is none."""

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what `read` returns for each of `keys`, in their order."""

    def create(self, key: str, body: bytes) -> bool:
        """Store `body`. True: written now; False: the same bytes are there already. Raises Conflict when others are."""

    def create_many(self, items: Iterable[tuple[str, bytes]]) -> list[str]:
        """Store each (key, body) that is not there, and return the keys that hold other bytes. Nothing is replaced."""

    def keys(self, prefix: str, *, after: str = "") -> list[str]:
        """Return the keys that begin with `prefix` and come after the key `after`, sorted."""

    def pointer(self, key: str) -> ConditionalObject:
        """Return the object at `key` as one that changes by compare-and-swap."""


class FolderStorage:
    """A folder. A file appears whole or not at all, and never replaces another."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is first written."""
        self.folder, self.url = folder, str(folder)
        sweep(folder)

    def read(self, key: str) -> bytes | None:
        """See `Storage.read`."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise TrainingError(f"Could not read {self._path(key)}: {error.strerror}.") from error

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Storage.read_many`."""
        return [self.read(key) for key in keys]

    def create(self, key: str, body: bytes) -> bool:
        """See `Storage.create`."""
        path = self._path(key)
        if create_file(self.folder, path, body):
            return True
        if self.read(key) == body:
            return False
        raise Conflict(str(path))

    def create_many(self, items: Iterable[tuple[str, bytes]]) -> list[str]:
        """See `Storage.create_many`."""
        return [key for key, body in items if _is_taken(self, key, body)]

    def keys(self, prefix: str, *, after: str = "") -> list[str]:
        """See `Storage.keys`."""
        return [key for key in files_below(self.folder, prefix) if key > after]

    def pointer(self, key: str) -> ConditionalObject:
        """See `Storage.pointer`."""
        return ConditionalObject(FileWire(self.folder, self._path(key)))

    def _path(self, key: str) -> Path:
        _require_key(key)
        return self.folder / key


class S3Storage:
    """A prefix of an S3 bucket. Only writes with If-None-Match or If-Match are sent."""

    def __init__(self, bucket: str, prefix: str, *, s3: Any = None) -> None:
        """`prefix` is without slashes around it, perhaps empty; `s3` is a client without retries, or one is made."""
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        config = STATE_CONFIG.merge(Config(max_pool_connections=THREADS + 2, read_timeout=30))
        self._s3 = s3 or aws.client("s3", config=config)
        self._reader = aws.client("s3") if s3 is None else s3

    def read(self, key: str) -> bytes | None:
        """See `Storage.read`."""
        return objects.read_bytes(self._reader, self.bucket, self._key(key))

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Storage.read_many`."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self.read, keys))

    def create(self, key: str, body: bytes) -> bool:
        """See `Storage.create`. An answer that was lost is resolved by reading back."""
        wire = S3Wire(self._s3, self.bucket, self._key(key), content_type=_content_type(key))
        if wire.put(body, None)[0] is Answer.DONE:
            return True
        try:
            ConditionalObject(wire).write(body, None)
        except Lost as lost:
            if lost.current is None or lost.current.body != body:
                raise Conflict(wire.url) from lost
        return False

    def create_many(self, items: Iterable[tuple[str, bytes]]) -> list[str]:
        """See `Storage.create_many`."""
        with ThreadPoolExecutor(THREADS) as pool:
            taken = pool.map(lambda item: item[0] if _is_taken(self, *item) else None, items)
            return [key for key in taken if key is not None]

    def keys(self, prefix: str, *, after: str = "") -> list[str]:
        """See `Storage.keys`. S3 lists a thousand keys a request."""
        found: list[str] = []
        wanted = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        if after:
            wanted["StartAfter"] = self.prefix + after
        with aws.explained(f"list s3://{self.bucket}/{self.prefix}{prefix}"):
            for page in self._reader.get_paginator("list_objects_v2").paginate(**wanted):
                found += [entry["Key"][len(self.prefix) :] for entry in page.get("Contents", [])]
        return sorted(found)

    def pointer(self, key: str) -> ConditionalObject:
        """See `Storage.pointer`."""
        return ConditionalObject(S3Wire(self._s3, self.bucket, self._key(key)))

    def _key(self, key: str) -> str:
        _require_key(key)
        return self.prefix + key


def open_storage(place: str) -> Storage:
    """Return the storage at `place`: a folder's path, or `s3://bucket/prefix`. ConfigurationError for another scheme."""
    scheme, separator, rest = place.partition("://")
    if not separator:
        if not place:
            raise ConfigurationError("No storage is named.", hint="Give a folder, or s3://bucket/prefix.")
        return FolderStorage(Path(place))
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ConfigurationError(f"{place} is not a storage.", hint="Give a folder, or s3://bucket/prefix.")
    return S3Storage(bucket, prefix.strip("/"))


def _content_type(key: str) -> str:
    if key.endswith(".parquet"):
        return "application/vnd.apache.parquet"
    return "application/json" if key.endswith(".json") else "application/octet-stream"


def _is_taken(storage: Storage, key: str, body: bytes) -> bool:
    """Store `body` unless the key has other bytes, and return whether it has."""
    try:
        storage.create(key, body)
    except Conflict:
        return True
    return False


def _require_key(key: str) -> None:
    """Refuse what would lead out of the storage, or to what is listed under another name. ValueError."""
    if not key or any(part in {"", ".", ".."} or part.startswith(".") for part in key.split("/")):
        raise ValueError(f"{key!r} is not a key of a storage")

"""A folder as a storage: whole files that are never replaced, and pointers that change by compare-and-swap."""

from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path

import pytest

from chronos_training.core.cas import Lost
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_volatility.folder import INCOMING
from chronos_volatility.storage import Conflict, FolderStorage, S3Storage, open_storage


def test_what_is_stored_stays(storage: FolderStorage) -> None:
    assert storage.read("a/b") is None
    assert storage.create("a/b", b"1")
    assert not storage.create("a/b", b"1")
    with pytest.raises(Conflict, match=r"data/a/b is there with other content"):
        storage.create("a/b", b"2")
    assert storage.create_many([("a/b", b"2"), ("a/c", b"3"), ("a/c", b"3")]) == ["a/b"]
    assert storage.read_many(["a/c", "a/d", "a/b"]) == [b"3", None, b"1"]


def test_keys_are_those_of_a_prefix_in_order(storage: FolderStorage) -> None:
    names = ["t/date=2018-12-06/0", "t/date=2018-12-07/0", "t/date=2018-12-07/1", "t2/x", "u"]
    storage.create_many([(name, b"") for name in reversed(names)])
    storage.pointer("champion").write(b"{}", None)
    (storage.folder / ".DS_Store").touch()
    assert storage.keys("") == sorted([*names, "champion"])
    assert storage.keys("t/") == names[:3]
    assert storage.keys("t/date=2018-12-07") == names[1:3]
    assert storage.keys("t/", after="t/date=2018-12-07") == names[1:3]
    assert storage.keys("none/") == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".incoming/x"])
def test_a_key_cannot_leave_the_storage(storage: FolderStorage, key: str) -> None:
    with pytest.raises(ValueError, match="is not a key"):
        storage.create(key, b"")


def test_a_pointer_changes_only_from_the_version_that_was_seen(storage: FolderStorage) -> None:
    pointer = storage.pointer("champion.json")
    assert pointer.read() is None
    first = pointer.write(b"1", None)
    second = pointer.write(b"2", first.etag)
    with pytest.raises(Lost) as lost:
        pointer.write(b"3", first.etag)
    assert lost.value.current is not None and lost.value.current.body == b"2"
    with pytest.raises(Lost):
        pointer.delete(first.etag)
    pointer.delete(second.etag)
    assert pointer.read() is None


def test_of_many_writers_of_a_pointer_one_wins_each_version(storage: FolderStorage) -> None:
    storage.pointer("n").write(b"0", None)

    def count() -> None:
        pointer = storage.pointer("n")
        for _ in range(20):
            while True:
                seen = pointer.read()
                assert seen is not None
                try:
                    pointer.write(
                        b"%d %s" % (int(seen.body.split()[0]) + 1, uuid.uuid4().bytes.hex().encode()), seen.etag
                    )
                    break
                except Lost:
                    continue

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (storage.read("n") or b"").split()[0] == b"80"


def test_what_a_killed_writer_left_is_invisible_and_goes_away(storage: FolderStorage) -> None:
    storage.create("a", b"")
    fresh, abandoned = (storage.folder / INCOMING / name for name in ("fresh", "abandoned"))
    fresh.touch()
    abandoned.touch()
    os.utime(abandoned, (time.time() - 2 * 86400,) * 2)
    assert FolderStorage(storage.folder).keys("") == ["a"]
    assert fresh.exists() and not abandoned.exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"Could not write .*file/data/a: Not a directory"):
        FolderStorage(tmp_path / "file" / "data").create("a", b"")


def test_places() -> None:
    assert isinstance(open_storage("some/folder"), FolderStorage)
    found = open_storage("s3://bucket/a/prefix/")
    assert isinstance(found, S3Storage) and found.url == "s3://bucket/a/prefix"
    for place in ("", "gs://bucket", "s3://"):
        with pytest.raises(ConfigurationError, match="folder"):
            open_storage(place)

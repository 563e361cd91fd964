"""What the state store needs of an S3 server, tried on a running one: the answers, and that exactly one writer wins."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from chronos_training.core.cas import ConditionalObject, Lost
from chronos_training.core.wire import Answer, S3Wire

REFUSED = {Answer.PRECONDITION_FAILED, Answer.NOT_FOUND, Answer.CONFLICT}


@dataclass
class Races:
    """Rounds in which not exactly one writer won, of `rounds` for each kind; and increments that were lost."""

    rounds: int
    creates: int = 0
    replaces: int = 0
    deletes: int = 0
    lost_writes: int = 0

    @property
    def wrong(self) -> int:
        return self.creates + self.replaces + self.deletes + self.lost_writes


def answers(s3: Any, bucket: str) -> list[str]:
    """The answer table on a quiet server. Returns what is not as S3 documents it."""
    wire = S3Wire(s3, bucket, f"conformance/{uuid.uuid4().hex}")
    wrong = []

    def expect(what: str, got: Any, *wanted: Any) -> None:
        if got not in wanted:
            wrong.append(f"{what}: {got}")

    expect("read of nothing", wire.get(), None)
    expect("replace of nothing", wire.put(b"0", '"0123456789abcdef0123456789abcdef"')[0], *REFUSED)
    expect("read after a refused write", wire.get(), None)
    created, first = wire.put(b"1", None)
    expect("create", created, Answer.DONE)
    expect("create over something", wire.put(b"2", None)[0], *REFUSED)
    replaced, second = wire.put(b"2", first)
    expect("replace", replaced, Answer.DONE)
    expect("replace of an old version", wire.put(b"3", first)[0], *REFUSED)
    expect("delete of an old version", wire.delete(first), *REFUSED)
    seen = wire.get()
    expect("body", seen.body if seen else None, b"2")
    expect("etag read back", seen.etag if seen else None, second)
    expect("age by the server's clock", seen is not None and 0 <= seen.age_seconds < 60, True)
    expect("delete", wire.delete(second), Answer.DONE)
    expect("read after the delete", wire.get(), None)
    return wrong


def races(new_client: Callable[[], Any], bucket: str, *, writers: int = 16, rounds: int = 30) -> Races:
    """Let `writers` threads create, replace and delete the same key at once, `rounds` times."""
    result = Races(rounds)
    clients = [new_client() for _ in range(writers)]
    barrier = Barrier(writers)
    prefix = f"conformance/{uuid.uuid4().hex}/"

    def writer(number: int) -> list[tuple[bool, bool, bool]]:
        outcomes = []
        for turn in range(rounds):
            wire = S3Wire(clients[number], bucket, f"{prefix}{turn}")
            barrier.wait()
            created = wire.put(b"%d created" % number, None)[0] is Answer.DONE
            barrier.wait()
            seen = wire.get()
            barrier.wait()
            replaced = seen is not None and wire.put(b"%d replaced" % number, seen.etag)[0] is Answer.DONE
            barrier.wait()
            seen = wire.get()
            barrier.wait()
            deleted = seen is not None and wire.delete(seen.etag) is Answer.DONE
            outcomes.append((created, replaced, deleted))
        return outcomes

    with ThreadPoolExecutor(writers) as pool:
        outcomes = list(pool.map(writer, range(writers)))
    for turn in range(rounds):
        created, replaced, deleted = (sum(outcome[turn][kind] for outcome in outcomes) for kind in range(3))
        result.creates += created != 1
        result.replaces += replaced != 1
        result.deletes += deleted != 1
    result.lost_writes = _lost_increments(clients, bucket, f"{prefix}counter", rounds)
    return result


def _lost_increments(clients: list[Any], bucket: str, key: str, each: int) -> int:
    """Count up through the real primitive from all clients at once; returns how many acknowledged steps are missing."""
    counter = ConditionalObject(S3Wire(clients[0], bucket, key))
    counter.write(b"0 first", None)

    def count(s3: Any) -> int:
        mine = ConditionalObject(S3Wire(s3, bucket, key))
        acknowledged = 0
        for _ in range(each):
            seen = mine.read()
            assert seen is not None
            number = int(seen.body.split()[0])
            try:
                mine.write(b"%d %s" % (number + 1, uuid.uuid4().hex.encode()), seen.etag)
            except Lost:
                continue
            acknowledged += 1
        return acknowledged

    with ThreadPoolExecutor(len(clients)) as pool:
        acknowledged = sum(pool.map(count, clients))
    final = counter.read()
    assert final is not None
    return acknowledged - int(final.body.split()[0])

"""An S3 object in memory that keeps S3's conditions and can be told to misbehave: an honest store, a bad line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from chronos_training.core.wire import Answer, Unseen, Version


class MemoryObject:
    """The stored bytes, shared by all wires to it."""

    def __init__(self) -> None:
        self.body: bytes | None = None
        self.writes: list[bytes] = []
        self.deletes = 0

    @property
    def etag(self) -> str | None:
        return None if self.body is None else hashlib.md5(self.body, usedforsecurity=False).hexdigest()


class MemoryWire:
    """`Wire` to a MemoryObject. `faults` maps the number of the request (from 0) to what happens to it:

    lost-before: the request never arrives; lost-after: it is done but the answer is lost; an Answer: sent instead.
    `before` is called ahead of each request, to let another writer in.
    """

    url, refusal = "s3://bucket/key", ""

    def __init__(
        self,
        stored: MemoryObject,
        faults: dict[int, str | Answer] | None = None,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self.stored, self.faults, self.before, self.requests = stored, faults or {}, before, 0

    def _fault(self) -> str | Answer | None:
        number, self.requests = self.requests, self.requests + 1
        if self.before is not None:
            self.before(number)
        return self.faults.get(number)

    def get(self) -> Version | None:
        if self._fault() is not None:
            raise Unseen("no answer")
        body, etag = self.stored.body, self.stored.etag
        return None if body is None or etag is None else Version(body, etag, 0.0)

    def put(self, body: bytes, etag: str | None) -> tuple[Answer, str]:
        fault = self._fault()
        if isinstance(fault, Answer):
            return fault, ""
        if fault == "lost-before":
            return Answer.UNKNOWN, ""
        if self.stored.etag != etag:
            refused = Answer.NOT_FOUND if self.stored.body is None else Answer.PRECONDITION_FAILED
            return (Answer.UNKNOWN if fault else refused), ""
        self.stored.body = body
        self.stored.writes.append(body)
        assert self.stored.etag is not None
        return (Answer.UNKNOWN, "") if fault == "lost-after" else (Answer.DONE, self.stored.etag)

    def delete(self, etag: str) -> Answer:
        fault = self._fault()
        if isinstance(fault, Answer):
            return fault
        if fault == "lost-before":
            return Answer.UNKNOWN
        if self.stored.body is None:
            return Answer.UNKNOWN if fault else Answer.NOT_FOUND
        if self.stored.etag != etag:
            return Answer.UNKNOWN if fault else Answer.PRECONDITION_FAILED
        self.stored.body = None
        self.stored.deletes += 1
        return Answer.UNKNOWN if fault == "lost-after" else Answer.DONE

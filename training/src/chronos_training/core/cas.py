"""The compare-and-swap primitive: every outcome resolved, or reported as unresolved (design: the state object).

| answer                | what is done                                                                                  |
|-----------------------|-----------------------------------------------------------------------------------------------|
| 200 / 204             | done                                                                                          |
| 409                   | re-read, back off, try again                                                                  |
| 412, 404, 5xx, none   | GET. Our bytes are there: done. The prior ETag is there: the same bytes again. Else: we lost. |
| 403                   | GET. Another version or none is there: we lost (S3 may say 403 for absent). Else: no permission |
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from .errors import PermissionDenied, TrainingError
from .wire import Answer, Unseen, Version, Wire


class Lost(Exception):
    """Another writer was first. `current` is what is stored now, None when nothing is."""

    def __init__(self, current: Version | None) -> None:
        """`current` is the version found instead."""
        self.current = current
        super().__init__("another writer was first")


class Unresolved(TrainingError):
    """The store answered too little to know whether the write happened."""

    code = "outcome_unknown"


class ConditionalObject:
    """One S3 object that is changed by compare-and-swap only."""

    def __init__(
        self,
        wire: Wire,
        *,
        attempts: int = 8,
        sleep: Callable[[float], None] = time.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """`attempts` bounds the requests of one operation; pauses between them grow from 0.1 s to 5 s with jitter."""
        self._wire, self._attempts, self._sleep, self._rng = wire, attempts, sleep, rng
        self.url = wire.url

    def read(self) -> Version | None:
        """Return the present version, or None. Raises Unseen when no answer came in all attempts."""
        for attempt in range(self._attempts):
            try:
                return self._wire.get()
            except Unseen:
                if attempt == self._attempts - 1:
                    raise
                self._pause(attempt)
        raise AssertionError("unreachable")

    def write(self, body: bytes, etag: str | None) -> Version:
        """Replace the version `etag` (None: create) by `body`. Raises Lost, Unresolved, PermissionDenied.

        `body` must hold a fresh nonce: an ETag is a hash of the bytes, and equal bytes would let a stale writer pass.
        """
        for attempt in range(self._attempts):
            answer, new_etag = self._wire.put(body, etag)
            if answer is Answer.DONE:
                return Version(body, new_etag, 0.0)
            current = self._read_back()
            if current is not None and current.body == body:
                return current
            if (current.etag if current else None) != etag:
                raise Lost(current)
            if answer is Answer.DENIED:
                raise PermissionDenied(f"No permission to write {self.url}{self._said()}.")
            self._pause(attempt)
        raise self._unresolved("written")

    def delete(self, etag: str) -> None:
        """Delete the version `etag`, and only that one. Raises Lost, Unresolved, PermissionDenied."""
        sent_before = False
        for attempt in range(self._attempts):
            answer = self._wire.delete(etag)
            if answer is Answer.DONE:
                return
            # An absent object proves our delete only if an earlier one of ours may have arrived.
            sent_before = sent_before or answer is Answer.UNKNOWN
            current = self._read_back()
            if current is None:
                if sent_before:
                    return
                raise Lost(None)
            if current.etag != etag:
                raise Lost(current)
            if answer is Answer.DENIED:
                raise PermissionDenied(f"No permission to delete {self.url}{self._said()}.")
            self._pause(attempt)
        raise self._unresolved("deleted")

    def _read_back(self) -> Version | None:
        try:
            return self.read()
        except Unseen as error:
            raise self._unresolved("changed") from error

    def _said(self) -> str:
        return f" ({self._wire.refusal})" if self._wire.refusal else ""

    def _unresolved(self, what: str) -> Unresolved:
        return Unresolved(
            f"{self.url} may or may not have been {what}: S3 did not answer{self._said()}.",
            hint="Nothing else was changed. Repeat the command; it reconciles what it finds.",
        )

    def _pause(self, attempt: int) -> None:
        self._sleep(min(5.0, 0.1 * 2**attempt) * (0.5 + self._rng()))

"""What is delivered behind the work that it is about: log lines, metrics. Nobody waits for it, and a delivery for each line would cost
more than the work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from local_aws.services.aws import Aws

log = logging.getLogger("local_aws.services")

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_PAUSE = 0.1  # seconds between two deliveries
_MOST = 1000  # values in one delivery


class Batches(Generic[Key, Value]):
    """Collects values by a key, and delivers what has come together in a thread of its own. Thread-safe.

    The clock is not advanced over what is not delivered yet.
    """

    def __init__(self, aws: Aws, what: str, deliver: Callable[[Key, list[Value]], None]) -> None:
        self._aws = aws
        self._what = what
        self._deliver = deliver  # without the lock
        self._waiting: dict[Key, list[Value]] = {}
        self._changed = threading.Condition()
        self._end: Callable[[], None] | None = None  # of the work that is under way
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        aws.at_reset(self.forget)
        aws.at_stop(self.stop)

    def add(self, key: Key, values: Iterable[Value]) -> None:
        """Deliver these soon, after those of the same key that came before."""
        with self._changed:
            if self._stopped.is_set():
                return
            self._waiting.setdefault(key, []).extend(values)
            if self._end is None:
                self._end = self._aws.clock.begin(self._what)
            if self._thread is None:  # nobody pays for a thread who delivers nothing
                self._thread = threading.Thread(target=self._run, name=self._what, daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self) -> None:
        """Drop everything: the account is emptied."""
        with self._changed:
            self._waiting.clear()
            self._finish()

    def stop(self) -> None:
        """Deliver nothing any more."""
        self._stopped.set()
        self.forget()
        with self._changed:
            self._changed.notify()

    def _finish(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE):
            with self._changed:
                while not self._waiting and not self._stopped.is_set():
                    self._changed.wait()
                taken, self._waiting = self._waiting, {}
            for key, values in taken.items():
                for start in range(0, len(values), _MOST):
                    try:
                        self._deliver(key, values[start : start + _MOST])
                    except Exception:
                        log.exception("%s: %s", self._what, key)
            with self._changed:
                if not self._waiting:
                    self._finish()

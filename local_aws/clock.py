"""The one clock of the embedded AWS, which can be advanced: thirty days of schedules in a minute.

Whatever the embedded AWS does later (a schedule, an alarm's period, a retry, a Wait state) is a timer of this clock. When it
is advanced, it jumps from timer to timer, and waits after each until everything that was set off has come to rest: a function
that still runs, a task, an execution. So a month that is played takes as long as its work does.

Processes of functions, tasks and machines read their computer's own clock; only AWS is ahead.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

log = logging.getLogger("local_aws.clock")

_MOMENT = 1.0  # seconds that a request to advance the clock may have been under way
LONGEST_REST = 600.0  # seconds of real time that advance() waits for work to come to rest


class ClockError(Exception):
    """The clock cannot be advanced as asked. The text is for a person."""


@dataclass(order=True)
class Timer:
    """Something that happens once, at `when` (seconds since the epoch)."""

    when: float
    _order: int
    what: str = field(compare=False)
    _function: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Keep it from happening. Harmless when it has."""
        self.cancelled = True


class Clock:
    """AWS's time and everything that waits for it. Thread-safe; no method may be called with a lock that a timer takes."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._work: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._advancing = threading.Lock()
        self._stopped = False
        self._observer: Callable[[], None] = lambda: None
        self._pool: ThreadPoolExecutor | None = None

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._ahead

    @property
    def ahead(self) -> float:
        """Seconds that this clock is ahead of the computer's."""
        return self._ahead

    def utcnow(self) -> datetime:
        """The time in UTC, aware of that."""
        return datetime.fromtimestamp(self.now(), timezone.utc)

    def call_at(self, when: float, what: str, function: Callable[[], None]) -> Timer:
        """Call `function` in a thread of its own at `when`, at once if that is past. An error it raises goes to the log."""
        timer = Timer(when, next(self._order), what, function)
        with self._changed:
            if self._pool is None and not self._stopped:  # nobody pays for a thread who sets no timer
                self._pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="timer")
                threading.Thread(target=self._run, name="clock", daemon=True).start()
            heapq.heappush(self._timers, timer)
            self._changed.notify_all()
        return timer

    def call_after(self, seconds: float, what: str, function: Callable[[], None]) -> Timer:
        """call_at, so many seconds from now."""
        return self.call_at(self.now() + seconds, what, function)

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Say that `what` is under way: advance() waits for its end before it goes on."""
        self._add(what, 1)
        try:
            yield
        finally:
            self._add(what, -1)

    def begin(self, what: str) -> Callable[[], None]:
        """As `working`, for work that another thread ends: call what this returns, once or more."""
        self._add(what, 1)
        ended = threading.Event()

        def end() -> None:
            if not ended.is_set():
                ended.set()
                self._add(what, -1)

        return end

    def advance(self, to: float, patience: float = LONGEST_REST) -> None:
        """Make it `to` (seconds since the epoch), with everything that happens until then. ClockError for a time past."""
        if to < self.now() - _MOMENT:
            raise ClockError("The clock goes forward only: what has happened cannot be undone.")
        with self._advancing:
            while True:
                self._come_to_rest(patience)
                with self._changed:
                    when = self._next()
                    target = min(to, when) if when is not None else to
                    self._ahead = max(self._ahead, target - time.time())
                    self._changed.notify_all()
                    if when is None or when > to:
                        self._observer()
                        return

    def describe(self) -> dict[str, Any]:
        """For `python -m local_aws clock`: the time, what is under way, and what comes next."""
        with self._changed:
            coming = sorted(timer for timer in self._timers if not timer.cancelled)[:20]
            return {
                "now": self.utcnow().isoformat(timespec="milliseconds"),
                "ahead_seconds": round(self._ahead, 3),
                "under_way": dict(self._work),
                "next": [
                    {"at": datetime.fromtimestamp(timer.when, timezone.utc).isoformat(), "what": timer.what}
                    for timer in coming
                ],
            }

    def forget(self) -> None:
        """Cancel every timer, and be the computer's clock again: for an account that is reset."""
        with self._changed:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
            self._ahead = 0.0
            self._changed.notify_all()

    def set_ahead(self, seconds: float) -> None:
        """For a restart after a crash: be as far ahead as before."""
        with self._changed:
            self._ahead = seconds
            self._changed.notify_all()

    def observe(self, function: Callable[[], None]) -> None:
        """Call `function` whenever work begins or ends, or the clock is advanced. It must be quick."""
        self._observer = function

    def stop(self) -> None:
        """Let nothing happen any more."""
        with self._changed:
            self._stopped = True
            self._timers.clear()
            self._changed.notify_all()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _add(self, what: str, count: int) -> None:
        with self._changed:
            self._work[what] += count
            if self._work[what] <= 0:
                del self._work[what]
            self._changed.notify_all()
        self._observer()

    def _next(self) -> float | None:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].when if self._timers else None

    def _come_to_rest(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        with self._changed:
            while self._work or self._due():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ClockError(f"Still under way after {patience:.0f} s: {', '.join(self._work) or 'a timer'}.")
                if self._stopped:
                    raise ClockError("The embedded AWS is being stopped.")
                self._changed.wait(timeout=min(left, 0.5))

    def _due(self) -> bool:
        when = self._next()
        return when is not None and when <= self.now()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and not self._due():
                    when = self._next()
                    self._changed.wait(timeout=None if when is None else max(0.0, min(when - self.now(), 3600.0)))
                if self._stopped:
                    return
                timer = heapq.heappop(self._timers)
                self._work[timer.what] += 1
                pool = self._pool
            assert pool is not None
            with contextlib.suppress(RuntimeError):  # the pool was shut between the two
                pool.submit(self._fire, timer)

    def _fire(self, timer: Timer) -> None:
        try:
            if not timer.cancelled:
                timer._function()
        except Exception:
            log.exception("%s failed", timer.what)
        finally:
            self._add(timer.what, -1)


CLOCK = Clock()  # the daemon's


def set_motos() -> None:
    """Make moto read this clock. Modules that have taken the function by name get it, too."""
    from moto.core import utils

    old = utils.utcnow

    def utcnow() -> datetime:
        return CLOCK.utcnow().replace(tzinfo=None)

    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is old:
            module.utcnow = utcnow  # type: ignore[attr-defined]

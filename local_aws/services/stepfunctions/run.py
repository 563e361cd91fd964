"""An execution that is under way: which of its paths work and which wait, and the journal from which it can go on.

A path is one line of an execution: its own, that of each branch of a Parallel state, and that of each worker of a Map
state. A path that waits for time, a token or its branches rests, so that the clock can be advanced
(local_aws/clock.py). Whoever ends the wait wakes the path before anything else, so that the clock does not go on in
between.

The journal has what an execution cannot do twice: results of tasks, moments until which it waits, task tokens. Each
entry has the place where it was made: `3.0/1` is the first of the second branch of what the execution did fourth. After
a crash the execution begins again, and takes from the journal what it finds in its places.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws


class Interrupted(BaseException):
    """What runs was stopped, or has run out of time. No Exception: moto would make a failed task of it."""


class Path:
    """One line of an execution; awake from the beginning."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = CLOCK.begin(what)
        self._over = False

    def rest(self, unless: threading.Event | None = None) -> None:
        """Do nothing until wake(). Not if `unless` is set already."""
        with self._lock:
            if self._end is not None and not (unless is not None and unless.is_set()):
                self._end()
                self._end = None

    def wake(self, event: threading.Event | None = None) -> None:
        """Be at work again, and set `event` for the thread that waits."""
        with self._lock:
            if self._end is None and not self._over:
                self._end = CLOCK.begin(self._what)
            if event is not None:
                event.set()

    def finish(self) -> None:
        """Be at an end. Harmless the second time."""
        with self._lock:
            self._over = True
            if self._end is not None:
                self._end()
                self._end = None


class Position:
    """Where in an execution something is done: the same again when the execution begins again."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._next = 0

    def next(self) -> str:
        """Return the name of the next place on this line."""
        number, self._next = self._next, self._next + 1
        return f"{self.name}.{number}".removeprefix(".")


class Waiter:
    """A thread that waits for something. Its path rests meanwhile, or is worked on by another thread."""

    def __init__(self, path: Path, rests: bool) -> None:
        self._path = path
        self._rests = rests
        self.event = threading.Event()

    def wake(self) -> None:
        """Let it look whether it has what it waits for."""
        if self._rests:
            self._path.wake(self.event)
        else:
            self.event.set()

    def time_is_up(self) -> None:
        """The same for its deadline: the path is at work again, whatever the other thread waits for."""
        self._path.wake(self.event)


class Run:
    """An execution that is under way."""

    def __init__(self, aws: Aws, execution: Any) -> None:
        self.aws = aws
        self.execution = execution
        self.path = Path(f"execution {execution.name}")
        self.journal: dict[str, Any] = execution.__dict__.setdefault("local_aws_journal", {})
        # The history of the time before a crash: what is repeated keeps its moment, and is published once.
        self.before: list[dict[str, Any]] = list(execution.__dict__.get("local_aws_history", []))
        self.stopped_at: datetime | None = None  # by StopExecution, with this error and cause
        self.stopped_with: tuple[str | None, str | None] = (None, None)
        # States of the machine that were entered, and until which of them the history has everything: see redriving.py.
        self.states, self.silent_until = 0, 0
        self._waiters: set[Waiter] = set()
        self._lock = threading.Lock()

    def note(self, place: str, entry: Any) -> None:
        """Write into the journal. It is data that can be pickled."""
        with self.aws.lock:
            self.journal[place] = entry

    def wake_all(self) -> None:
        """Let everything that waits look again: the execution was stopped, for one."""
        with self._lock:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()

    @contextlib.contextmanager
    def waiter(self, path: Path, rests: bool) -> Iterator[Waiter]:
        """A waiter that wake_all() knows."""
        made = Waiter(path, rests)
        with self._lock:
            self._waiters.add(made)
        try:
            yield made
        finally:
            with self._lock:
                self._waiters.discard(made)

    def moment_of(self, number: int, kind: str) -> datetime | None:
        """Return when the event with this number was, if it is one from before a crash."""
        if number <= len(self.before) and self.before[number - 1]["type"] == kind:
            return datetime.fromisoformat(str(self.before[number - 1]["timestamp"]).replace("Z", "+00:00"))
        return None

    def is_repeated(self, number: int) -> bool:
        """Return whether the event with this number was there before a crash."""
        return number <= len(self.before)


def wait_until(
    env: Any,
    is_over: Callable[[], Any],
    *,
    what: str,
    deadline: float | None = None,
    rests: bool = True,
    register: Callable[[Waiter], None] | None = None,
) -> bool:
    """Wait until `is_over()`, asked whenever the waiter is woken. False at the deadline, Interrupted by a stop.

    With `rests` the path does nothing meanwhile; otherwise another thread works on it. `register` gives the waiter to
    who may wake it.
    """
    run: Run = env.local_aws_run
    path: Path = env.local_aws_path
    with run.waiter(path, rests) as waiter:
        timer = None if deadline is None else CLOCK.call_at(deadline, what, waiter.time_is_up)
        if register is not None:
            register(waiter)
        try:
            while True:
                waiter.event.clear()
                if is_over():
                    break
                if not env.is_running():
                    raise Interrupted  # and leave the path to whoever interrupted
                if deadline is not None and CLOCK.now() >= deadline:
                    return False
                if rests:
                    path.rest(unless=waiter.event)
                waiter.event.wait()
        finally:
            if timer is not None:
                timer.cancel()
        return True


def sleep_until(env: Any, seconds: float, what: str) -> None:
    """Wait so long by AWS's clock, once: begun again after a crash, only for what is left. Interrupted when stopped."""
    run: Run = env.local_aws_run
    place = env.local_aws_place.next()
    deadline = run.journal.get(place)
    if deadline is None:
        deadline = CLOCK.now() + seconds
        run.note(place, deadline)
    wait_until(env, lambda: False, what=what, deadline=deadline)


def moment(when: float) -> datetime:
    """Return a moment as moto's executions have it."""
    return datetime.fromtimestamp(when, timezone.utc)


def in_iso(when: float) -> str:
    """Return a moment as the context object has it: 2026-11-30T03:20:18.123Z."""
    return moment(when).isoformat(timespec="milliseconds").replace("+00:00", "Z")

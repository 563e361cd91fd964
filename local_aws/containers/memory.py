"""The memory limit of processes: what the kernel does for a container, by looking.

The resident memory of a process and of all its descendants is added up ten times a second; who has more than the limit
is killed. What is shared between them counts twice, as it would not in a container. A limit on address space (setrlimit)
would end programs that reserve much and use little, like those with Arrow or OpenBLAS in them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import psutil

INTERVAL = 0.1  # seconds; a process fills about 200 MB in it at most


class MemoryLimit:
    """Watches processes until `stop()`; the sum of them all counts, like the limit of a task."""

    def __init__(self, limit: int, exceeded: Callable[[int], None]) -> None:
        self._limit = limit
        self._exceeded = exceeded  # called with the process that has the most, in the watching thread
        self._processes: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-limit", daemon=True)
        self.peak = 0  # bytes

    def watch(self, pid: int) -> None:
        """Count this process from now on, and its descendants."""
        self._processes.add(pid)
        if self._thread.ident is None:
            self._thread.start()

    def forget(self, pid: int) -> None:
        """It has ended."""
        self._processes.discard(pid)

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            used = {pid: resident(pid) for pid in list(self._processes)}
            total = sum(used.values())
            self.peak = max(self.peak, total)
            if total > self._limit:
                self._exceeded(max(used, key=lambda pid: used[pid]))


def resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes; 0 when there is none."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return total

"""What later tasks will need is read while an earlier one works.

Ansible forks for each task and waits for it; what the first ones check takes a quarter of a second, on a core of its own.
Meanwhile a thread of the waiting process loads the modules of the tasks that follow, and what botocore reads for their
clients: they inherit it. No thread runs while Ansible forks, so no task can inherit a lock that nobody will release.
"""

from __future__ import annotations

import gc
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

Step = Callable[[], object]


class ReadAhead:
    """Works through steps in the pauses between a fork and the next; a step that has begun is finished first."""

    def __init__(self) -> None:
        """Begin with the next fork."""
        self._steps: deque[Step] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        os.register_at_fork(before=self.pause, after_in_parent=self._resume, after_in_child=self._steps.clear)

    def add(self, *steps: Step) -> None:
        """Have `steps` taken as soon as this process waits for a task. What one raises is left for the task to meet."""
        self._steps.extend(steps)

    def pause(self) -> None:
        """Return when no step is under way, and none will begin before the fork."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._stop.set()
            self._thread.join()
            self._thread = None
        # What is loaded stays: no task's process has to walk through it to look for garbage, as Ansible does at their exit.
        gc.freeze()

    def _resume(self) -> None:
        if self._steps and self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while self._steps and not self._stop.is_set():
            step = self._steps.popleft()
            with suppress(Exception):
                step()

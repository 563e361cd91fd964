"""Finding and ending processes, on Linux and macOS, without /proc.

A machine's processes are found in three ways, because each misses some: the tree below its manager (misses what was
re-parented where there is no subreaper), process groups (miss what called setsid), and the variable MACHINE_VARIABLE
in the environment (misses what cleared it).
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import time
from collections.abc import Iterable

import psutil

from local_aws.home import MACHINE_VARIABLE

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def become_subreaper() -> None:
    """Linux: orphans below this process become its children instead of init's. Elsewhere: nothing."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Linux: be killed when the thread that forked this process ends. Elsewhere: nothing. For preexec_fn."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def created_at(pid: int) -> float | None:
    """Creation time of a living process (seconds since the epoch), None when it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def alive(pid: int, created: float) -> bool:
    """Whether `pid` is still the process that was created at `created`: numbers are used again.

    Two seconds of tolerance: the creation time is derived from the boot time, which moves when the clock is set.
    """
    now = created_at(pid)
    return now is not None and abs(now - created) < 2.0


def marked(prefix: str) -> list[psutil.Process]:
    """Living processes whose MACHINE_VARIABLE begins with `prefix` (a home, or one instance of it)."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MACHINE_VARIABLE, "").startswith(prefix) and is_alive(process):
                found.append(process)
    return found


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def tree(pid: int) -> list[psutil.Process]:
    """The living descendants of `pid`, without itself."""
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if is_alive(child)]
    except psutil.NoSuchProcess:
        return []


def send(targets: Iterable[psutil.Process], number: int) -> None:
    for process in targets:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def kill_all(find: object, timeout: float = 5.0) -> list[int]:
    """SIGKILL what `find()` returns, again and again until it returns nothing (a dying parent may still fork).

    Returns the ids that were killed. Gives up silently after `timeout` seconds: an unkillable process (state D) must
    not hang the caller.
    """
    killed: list[int] = []
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        targets = find()  # type: ignore[operator]
        if not targets:
            break
        killed += [process.pid for process in targets if process.pid not in killed]
        send(targets, signal.SIGKILL)
        time.sleep(0.01)
    return killed

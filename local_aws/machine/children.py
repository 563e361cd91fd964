"""Starting, awaiting and killing the processes of the machine from one asyncio loop.

One place reaps every child by waitpid(-1): as a subreaper the manager also gets the orphans, which no Popen object
waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import IO

import psutil

from local_aws import processes


class Children:
    """Every process that the manager started or inherited."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._waiting: dict[int, asyncio.Future[int]] = {}

    def listen(self) -> None:
        """Begin to reap. Call inside the running loop, before the first spawn."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def spawn(
        self,
        words: list[str],
        *,
        environment: dict[str, str],
        directory: str,
        output: IO[bytes] | int,
        errors: IO[bytes] | int,
    ) -> tuple[int, asyncio.Future[int]]:
        """Start a process as the head node of a session of its own. Returns its id and a future of its exit code.

        The code is negative for a signal, as in subprocess. Raises OSError when it cannot be started.
        """
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
            cwd=directory,
            start_new_session=True,
            # Safe: the manager has one thread. If it is killed, the main process of each unit goes with it (Linux);
            # what remains is found by its mark.
            preexec_fn=processes.die_with_parent,
        )
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[process.pid] = future
        process.returncode = 0  # reaped here, not by Popen, which would complain when it is collected
        return process.pid, future

    def family(self, leader: int, mark: tuple[str, str] | None = None) -> list[psutil.Process]:
        """Living processes of one unit: the head node, what descends from it, its session, and what carries its mark.

        `mark` is a (variable, value) pair of the unit's environment.
        """
        found: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(leader)
            found[leader] = process
            for child in process.children(recursive=True):
                found[child.pid] = child
        for process in self.everything():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) == leader or (mark and process.environ().get(mark[0]) == mark[1]):
                    found[process.pid] = process
        return [process for process in found.values() if processes.is_alive(process)]

    def everything(self) -> list[psutil.Process]:
        """Every living process of this machine except the manager."""
        own = processes.tree(os.getpid())
        known = {process.pid for process in own}
        return own + [process for process in processes.marked(self._marker) if process.pid not in known]

    def kill_everything(self) -> None:
        """SIGKILL to all, until nothing is left. Blocks for the few milliseconds that takes."""

        def find() -> list[psutil.Process]:
            self._reap()
            return self.everything()

        processes.kill_all(find)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            future = self._waiting.pop(pid, None)
            if future and not future.done():
                future.set_result(os.waitstatus_to_exitcode(status))


def open_for_append(path: Path | str) -> IO[bytes]:
    return open(path, "ab", buffering=0)


def copy_to(paths: list[Path], reading: int) -> None:
    """Pass what comes out of the pipe `reading` on to these files, until the last process that holds it has ended."""
    loop = asyncio.get_running_loop()
    os.set_blocking(reading, False)

    def ready() -> None:
        try:
            data = os.read(reading, 65536)
        except BlockingIOError:
            return
        if not data:
            loop.remove_reader(reading)
            os.close(reading)
            return
        for path in paths:
            with open_for_append(path) as log:
                log.write(data)

    loop.add_reader(reading, ready)

"""For tests: a remote shell in a running machine that has a Debian root (levels namespace and nspawn)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

NSENTER = ["nsenter", "--mount", "--uts", "--net", "--pid", "--root", "--wd"]


class RemoteShell:
    """`leader` is the machine's process 1, by its number on this computer."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command as the machine's root; return what it printed."""
        done = subprocess.run(
            [*NSENTER, f"--target={self._leader}", "--", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def path(self, path: str) -> Path:
        """A path of the machine as this computer sees it."""
        return Path(f"/proc/{self._leader}/root{path}")

    def outer_pid(self, pid: int) -> int:
        """The number on this computer of a process that has the number `pid` in the machine."""
        space = os.readlink(f"/proc/{self._leader}/ns/pid")
        for process in psutil.process_iter():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
                if numbers[-1] == str(pid) and os.readlink(f"/proc/{process.pid}/ns/pid") == space:
                    return process.pid
        raise AssertionError(f"there is no process {pid} in the machine")

    @contextlib.contextmanager
    def network_cut(self) -> Iterator[None]:
        """Every packet is lost, those to the metadata service too; connections stay, and go on afterwards."""
        with contextlib.ExitStack() as after:
            # A queue with no place in it; no kernel module is needed for that one.
            self._traffic("replace", "dev", "lo", "root", "pfifo", "limit", "0")
            after.callback(self._traffic, "del", "dev", "lo", "root")
            yield

    def _traffic(self, *words: str) -> None:
        command = ["nsenter", f"--target={self._leader}", "--net", "--", "tc", "qdisc", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        # At the end the machine may be gone, with its network.
        assert done.returncode == 0 or words[0] == "del", done.stderr

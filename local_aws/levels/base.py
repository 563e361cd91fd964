"""What a level is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

TRY_SECONDS = 20.0


class Level:
    """One way to boot a machine. Instances have no state."""

    name = ""
    # The machine has a loopback of its own: the metadata service answers at 169.254.169.254 in it.
    own_network = False
    # Only for who asks for it by name.
    on_demand = False
    # Seconds from the power button to the power cut when EC2 ends it; EC2 gives minutes, tests want an end.
    grace = 5.0

    def reason_not_to(self) -> str:
        """Why it cannot be used on this computer, in a few words; empty when it can. It is tried, not guessed."""
        return ""

    def prepare(self, say: Callable[[str], None]) -> None:
        """Build what all machines of this level share, unless it is there. Raises LocalAwsError."""

    def leader(self, machine: int) -> int:
        """The machine's process 1, given the process that `words` became. Raises psutil.Error when it is not there."""
        return machine

    def words(self, folder: Path, power: int, listeners_socket: int | None) -> list[str]:
        """The command that is the machine, for one boot.

        `folder` is the instance's, with machine.json in it; `power` the reading end of the power line (see machine_process.py);
        `listeners_socket` a socket that listeners are handed out by, where the network is the machine's own (see listeners.py).
        """
        raise NotImplementedError


def python(module: str, *words: object) -> list[str]:
    """A module of this package as a command."""
    return [sys.executable, "-m", module, *map(str, words)]


def complaint(words: list[str]) -> str:
    """Run a command that tries something out: empty when it works, else the first line of what it says."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TRY_SECONDS, check=False)
    except FileNotFoundError:
        return f"there is no {words[0]}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"{words[0]}: exit code {done.returncode}"])[0]


def first_process(wrapper: int) -> int:
    """The child of `wrapper` that is process 1 of a namespace of its own. Raises psutil.NoSuchProcess before there is one."""
    for child in psutil.Process(wrapper).children():
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            continue
        numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        if len(numbers) > 1 and numbers[-1] == "1":
            return child.pid
    raise psutil.NoSuchProcess(wrapper)

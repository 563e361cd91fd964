"""Who acts: the name that the lock, the plan and a request to stop carry."""

from __future__ import annotations

import getpass
import os
import socket


def owner() -> str:
    """Return who this is: `user@host (pid 123)`."""
    return f"{user()}@{socket.gethostname()} (pid {os.getpid()})"


def user() -> str:
    """Return the name of the person at this machine, or the number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its uid
        return str(os.getuid())

"""How a process of the instance ends: with its exit code, and at once."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with the exit code `code`; its logs and its output are written out, its child processes ended.

    The interpreter's own way out waits for every thread, also for an upload that was given up and still hangs, and then
    takes down libraries whose threads still work: torch, interrupted in a fit, was seen to abort there (signal 6) after
    everything was stored.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            stream.flush()
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(code)

"""`python -m tests.boot.hang PID`: holds a process so that nothing but SIGKILL reaches it, as a process does that waits for ever.

SIGSTOP is not enough: systemd sends SIGCONT after SIGTERM, and thaws a frozen unit. So this is the tracer of each of its
threads and lets none of them go on. See ptrace(2).
"""

from __future__ import annotations

import ctypes
import os
import sys

SEIZE, INTERRUPT = 0x4206, 0x4207
ALL = 0x40000000  # __WALL: threads too


def main() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for thread in os.listdir(f"/proc/{sys.argv[1]}/task"):
        for request in (SEIZE, INTERRUPT):
            if libc.ptrace(request, int(thread), None, None):
                raise OSError(ctypes.get_errno(), f"ptrace of {thread}: {os.strerror(ctypes.get_errno())}")
    print("held", flush=True)
    while True:  # until its end, which its parent learns only after its tracer
        try:
            os.waitpid(-1, ALL)
        except ChildProcessError:
            return 0


if __name__ == "__main__":
    raise SystemExit(main())

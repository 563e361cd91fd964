"""Mounts the environment's image read-only, where this machine can: root, loop devices and squashfs are needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from pathlib import Path

TIMEOUT = 30.0
READ_AHEAD = "read-ahead"  # the thread's name
# What `import torch, chronos` does not touch, and what is large.
NOT_AT_FIRST = {
    *("llvmlite", "numba", "pyarrow", "pydantic", "statsforecast", "statsmodels", "triton"),
    *("test", "tests", "testing", "idlelib", "lib2to3", "ensurepip", "_inductor", "_dynamo", "models"),
}


def reason_not_to_mount() -> str:
    """Return why no image can be mounted here, as the end of a sentence; empty when it is worth trying."""
    if os.environ.get("INSTANCE_ROOT"):
        return "this instance is a folder, and a mount would affect the whole machine"
    if os.geteuid() != 0:
        return "that needs root"
    for module in ("loop", "squashfs"):  # part of the kernel, loaded already, or loaded now
        _quiet("modprobe", "-q", module)
    if not Path("/dev/loop-control").exists():
        return "no loop devices are available"
    if "\tsquashfs\n" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "the kernel does not support squashfs"
    return ""


def mount(image: Path, target: Path) -> str:
    """Mount `image` at `target`; return the error's last line, empty when it is mounted."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        # `loop` frees the device when the file system is unmounted, at power off too.
        options = "loop,ro,nodev,nosuid"
        words = ["mount", "-t", "squashfs", "-o", options, str(image), str(target)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]


def read_ahead(target: Path) -> None:
    """Read the compiled modules below `target` once, in the image's order, in a thread of its own. Returns at once.

    An import takes thousands of small files in its own order, and each costs a block to be unpacked. Read in order beside
    it they cost a second of another core: measured, the first import of torch takes 4.7 s instead of 5.5 s.
    """
    threading.Thread(target=_read_compiled, args=(target,), name=READ_AHEAD, daemon=True).start()


def _read_compiled(target: Path) -> None:
    for folder, folders, names in os.walk(target):
        folders[:] = [name for name in folders if name not in NOT_AT_FIRST]
        for name in names:
            if name.endswith(".pyc"):
                with contextlib.suppress(OSError):  # it only warms; whoever needs the file meets the error
                    Path(folder, name).read_bytes()


def _quiet(*words: str) -> None:
    try:
        subprocess.run(words, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return

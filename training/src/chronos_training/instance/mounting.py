"""Mounts the environment's image read-only, where this machine can: root, loop devices and squashfs are needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TIMEOUT = 30.0


def reason_not_to_mount() -> str:
    """Return why no image can be mounted here, as the end of a sentence; empty when it is worth trying."""
    if os.environ.get("INSTANCE_ROOT"):
        return "this instance is a folder, and a mount would be the machine's"
    if os.geteuid() != 0:
        return "that needs root"
    for module in ("loop", "squashfs"):  # part of the kernel, loaded already, or loaded now
        _quiet("modprobe", "-q", module)
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    if "\tsquashfs\n" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        return "the kernel has no squashfs"
    return ""


def mount(image: Path, target: Path) -> str:
    """Mount `image` at `target`; return the error's last line, empty when it is mounted."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        # `loop` gives the device back by itself when the file system is unmounted, at power off too.
        options = "loop,ro,nodev,nosuid"
        words = ["mount", "-t", "squashfs", "-o", options, str(image), str(target)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0]


def _quiet(*words: str) -> None:
    try:
        subprocess.run(words, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return

"""The local NVMe disk that some instance types bring (g4dn, g5): faster than the root volume, and paid for anyway.

Only an untouched disk that EC2 itself names as instance storage is used: no file system, no partitions, not mounted. On
any doubt or failure the work stays on the root volume.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MODEL = "Amazon EC2 NVMe Instance Storage"
LABEL = "chronos-work"
COLUMNS = "NAME,PATH,MODEL,SIZE,FSTYPE,MOUNTPOINTS,PTTYPE,TYPE"
SECONDS = 60.0


def use_local_disk(work: Path) -> str | None:
    """Make a file system on the largest unused local disk and mount it at `work`; return the device, None without one.

    Never raises: what goes wrong is logged.
    """
    if not _may_mount() or os.path.ismount(work):
        return None
    try:
        device = unused_disk(json.loads(_run("lsblk", "--json", "--bytes", "--output", COLUMNS)))
        if device is None:
            return None
        if not _is_blank(device):
            log.warning("%s looks unused to lsblk and is not; it is left alone", device)
            return None
        # Nothing on it outlives the instance: no journal, no reserve, and no time for what can be written later.
        _run(
            "mkfs.ext4",
            "-q",
            "-L",
            LABEL,
            "-m",
            "0",
            "-O",
            "^has_journal",
            "-E",
            "lazy_itable_init=1,nodiscard",
            device,
        )
        work.mkdir(parents=True, exist_ok=True)
        _run("mount", "-o", "noatime", device, str(work))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        log.warning("the local disk is not used: %s %s", error, _words(error))
        return None
    log.info("working on the local disk %s", device)
    return device


def mount_again(work: Path) -> None:
    """After a restart of the machine: bring back the disk that the run worked on, if there was one. Never raises."""
    if not _may_mount() or os.path.ismount(work) or not Path(f"/dev/disk/by-label/{LABEL}").exists():
        return
    try:
        _run("mount", "--label", LABEL, str(work))
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the local disk could not be mounted again: %s %s", error, _words(error))


def unused_disk(seen: dict[str, Any]) -> str | None:
    """Return the path of the largest local disk that nothing is on; `seen` is lsblk's JSON with COLUMNS."""
    free = [
        disk
        for disk in seen["blockdevices"]
        if disk["type"] == "disk"
        and (disk["model"] or "").strip() == MODEL
        and not disk["fstype"]
        and not disk["pttype"]
        and not any(disk["mountpoints"] or [])
        and not disk.get("children")
    ]
    return str(max(free, key=lambda disk: int(disk["size"]))["path"]) if free else None


def _is_blank(device: str) -> bool:
    """Return whether nothing can be found on the device itself: lsblk asks udev, which may not have looked yet."""
    return _run("wipefs", "--no-act", "--noheadings", device).strip() == ""


def _may_mount() -> bool:
    # With a root of its own this is a process on somebody's machine.
    return not os.environ.get("INSTANCE_ROOT") and os.geteuid() == 0


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def _words(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return said.strip() if isinstance(said, str) else ""

"""The local NVMe disk that some instance types bring (g4dn, g5): faster than the root volume, and paid for anyway.

The Deep Learning images have made a logical volume of all of them, with a file system, mounted (/opt/dlami/nvme): then the
run works in a folder of it. On other images an untouched disk that EC2 itself names as instance storage is formatted: no
file system, no partitions, not mounted, part of nothing. On any doubt or failure the work stays on the root volume.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MODEL = "Amazon EC2 NVMe Instance Storage"
LABEL = "chronos-work"  # of our own file system, and the name of our folder on another's
COLUMNS = "NAME,PATH,MODEL,SIZE,FSTYPE,MOUNTPOINTS,PTTYPE,TYPE"
SECONDS = 60.0
GB = 1e9
Node = dict[str, Any]


def use_local_disk(work: Path, needed_bytes: int) -> str | None:
    """Let `work` lie on a local disk that has room for `needed_bytes`; return its mount point or device, None without one.

    Never raises: what goes wrong is logged, and so is the choice.
    """
    if not _may_mount():
        return None
    if os.path.ismount(work):
        log.info("working on the disk already mounted at %s: %s", work, _room(work))
        return None
    try:
        chosen = _use(work, needed_bytes, json.loads(_run("lsblk", "--json", "--bytes", "--output", COLUMNS)))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        log.warning("the local disk is not used: %s %s", error, _words(error))
        chosen = None
    if chosen is None:
        log.info("working on the root volume: %s", _room(Path("/")))
    return chosen


def mount_again(work: Path) -> None:
    """After a restart of the machine: bring back the disk that the run worked on, if there was one. Never raises."""
    if not _may_mount() or os.path.ismount(work):
        return
    try:
        if Path(f"/dev/disk/by-label/{LABEL}").exists():
            _run("mount", "--label", LABEL, str(work))
            return
        for mounted in mounted_disks(json.loads(_run("lsblk", "--json", "--bytes", "--output", COLUMNS))):
            if (Path(mounted) / LABEL).is_dir():
                _run("mount", "--bind", str(Path(mounted) / LABEL), str(work))
                return
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        log.warning("could not mount the local disk again: %s %s", error, _words(error))


def mounted_disks(seen: Node) -> list[str]:
    """Return where file systems are mounted that lie on local disks and on nothing else; `seen` is lsblk's JSON with COLUMNS.

    A logical volume over several disks stands below each of them.
    """
    found: list[str] = []
    elsewhere: set[str] = set()
    for disk in seen["blockdevices"]:
        below = [point for node in _with_children(disk) for point in node["mountpoints"] or [] if point]
        if _is_local(disk):
            found += [point for point in below if point.startswith("/")]  # not [SWAP]
        else:
            elsewhere |= set(below)
    return [point for point in dict.fromkeys(found) if point not in elsewhere]


def unused_disk(seen: Node) -> str | None:
    """Return the path of the largest local disk that nothing is on; `seen` is lsblk's JSON with COLUMNS."""
    free = [
        disk
        for disk in seen["blockdevices"]
        if _is_local(disk)
        and not disk["fstype"]
        and not disk["pttype"]
        and not any(disk["mountpoints"] or [])
        and not disk.get("children")
    ]
    return str(max(free, key=lambda disk: int(disk["size"]))["path"]) if free else None


def _use(work: Path, needed_bytes: int, seen: Node) -> str | None:
    for mounted in mounted_disks(seen):
        reason = _reason_not_to_use(mounted, needed_bytes)
        if reason:
            log.info("the local disk mounted at %s is not used: %s", mounted, reason)
            continue
        folder = Path(mounted) / LABEL
        folder.mkdir(exist_ok=True)
        work.mkdir(parents=True, exist_ok=True)
        # Bound, not linked: the environment runs from a fixed path, and links are resolved on the way to it.
        _run("mount", "--bind", str(folder), str(work))
        log.info("working on the local disk mounted at %s: %s", mounted, _room(work))
        return mounted
    device = unused_disk(seen)
    if device is None:
        local = [f"{disk['path']} ({disk['fstype'] or 'in use'})" for disk in seen["blockdevices"] if _is_local(disk)]
        log.info("local disks: %s", f"{', '.join(local)}, left alone" if local else "none")
        return None
    size = next(int(disk["size"]) for disk in seen["blockdevices"] if disk["path"] == device)
    if size < needed_bytes:
        log.info(
            "the local disk %s is not used: %.1f GB, but this run needs %.1f GB", device, size / GB, needed_bytes / GB
        )
        return None
    if not _is_blank(device):
        log.warning("%s looks unused to lsblk but is in use; it is left alone", device)
        return None
    _format(device)
    work.mkdir(parents=True, exist_ok=True)
    _run("mount", "-o", "noatime", device, str(work))
    log.info("working on the local disk %s, which was unused: %s", device, _room(work))
    return device


def _format(device: str) -> None:
    # Nothing on it outlives the instance: no journal, no reserve, and no time for what can be written later.
    options = ["-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"]
    _run("mkfs.ext4", "-q", "-L", LABEL, *options, device)


def _reason_not_to_use(mounted: str, needed_bytes: int) -> str:
    """Return why a mounted local disk cannot take the run, empty when it can."""
    if mounted == "/" or not os.path.ismount(mounted):
        return "it is not a separate disk"
    if os.statvfs(mounted).f_flag & os.ST_RDONLY:
        return "it is read-only"
    if shutil.disk_usage(mounted).free < needed_bytes:
        return f"{_room(Path(mounted))}, but this run needs {needed_bytes / GB:.1f} GB"
    return ""


def _is_local(disk: Node) -> bool:
    return disk["type"] == "disk" and (disk["model"] or "").strip() == MODEL


def _with_children(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("children") or []:
        yield from _with_children(child)


def _is_blank(device: str) -> bool:
    """Return whether nothing can be found on the device itself: lsblk asks udev, which may not have looked yet."""
    return _run("wipefs", "--no-act", "--noheadings", device).strip() == ""


def _room(path: Path) -> str:
    usage = shutil.disk_usage(path)
    return f"{usage.free / GB:.1f} of {usage.total / GB:.1f} GB free"


def _may_mount() -> bool:
    # With a root of its own this is a process on somebody's machine.
    return not os.environ.get("INSTANCE_ROOT") and os.geteuid() == 0


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=SECONDS).stdout


def _words(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return said.strip() if isinstance(said, str) else ""

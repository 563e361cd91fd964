"""The root file system of machines: this computer's own Debian or Ubuntu release, built once by mmdebstrap and kept.

The same release, because the environment that is published here has this computer's interpreter in it, which needs at
least its glibc.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_aws.home import REPOSITORY_ROOT, LocalAwsError

CACHE = REPOSITORY_ROOT / ".cache/debian-root"
# What Amazon's images have and machines use; the libraries are those that a Python built on this computer is linked to.
PACKAGES = (
    *(
        "systemd",
        "systemd-sysv",
        "dbus",
        "udev",
        "kmod",
        "iproute2",
        "ca-certificates",
        "cloud-init",
        "python3",
        "zstd",
    ),
    *("libbz2-1.0", "libexpat1", "libffi8", "libgomp1", "liblzma5", "libncursesw6", "libreadline8", "libsqlite3-0"),
    *("libssl3", "libuuid1"),
)
SOURCES = (
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list.d/ubuntu.sources",
    "/etc/apt/sources.list",
)
# Nobody signs in here: no modules for that.
CLOUD_CONFIG = """cloud_init_modules: [seed_random, bootcmd, write-files, {disk}set_hostname, update_hostname, update_etc_hosts]
cloud_config_modules: [runcmd]
cloud_final_modules: [write-files-deferred, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user,
  final-message]
"""


@dataclass(frozen=True)
class Recipe:
    """What a root is made of: packages, and files that are not in them."""

    packages: tuple[str, ...]
    files: dict[str, str]


CONTAINER = Recipe(
    PACKAGES,
    {
        # A container does not look like EC2 by itself, and has no disk that grows.
        "etc/cloud/cloud.cfg.d/99-local-aws.cfg": "datasource_list: [Ec2]\nnetwork: {config: disabled}\n"
        + CLOUD_CONFIG.format(disk=""),
        # Without it systemd would show this computer's name until cloud-init has set the instance's.
        "etc/hostname": "localhost\n",
        "usr/lib/local-aws/sys/hypervisor/uuid": "ec2e1916-9099-7caf-fd21-012345abcdef\n",
        # Process 1 of level nspawn, before it becomes systemd: hardware that says it is Amazon's, and loop devices.
        "usr/lib/local-aws/init": """#!/bin/sh
mount --make-rprivate /
mkdir -p /run/sys
mount -t overlay hardware -o ro,lowerdir=/usr/lib/local-aws/sys:/sys /run/sys
mount --move /sys/fs/cgroup /run/sys/fs/cgroup
mount --move /run/sys /sys
rmdir /run/sys
mknod /dev/loop-control c 10 237
for n in $(seq 0 31); do mknod -m 660 /dev/loop$n b 7 $n; done
exec /lib/systemd/systemd
""",
    },
)
TIMEOUT = 900.0  # seconds; 25 on an idle machine with a near mirror


def reason_not_to(recipe: Recipe = CONTAINER) -> str:
    """Why there cannot be one here, empty when there can."""
    if root(recipe).is_dir():
        return ""
    if shutil.which("mmdebstrap") is None:
        return "there is no mmdebstrap to build its Debian root with"
    return "" if _sources() else "this computer has no package sources of Debian or Ubuntu to build its root from"


def root(recipe: Recipe = CONTAINER) -> Path:
    """Where it lies once it is built; another release or recipe is another folder."""
    return CACHE / hashlib.sha256(repr((_release(), recipe)).encode()).hexdigest()[:12]


def build(say: Callable[[str], None], recipe: Recipe = CONTAINER) -> Path:
    """Build it unless it is there. Raises LocalAwsError with mmdebstrap's last words."""
    target = root(recipe)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        say("building the Debian root of its machines, once (about a minute)")
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _bootstrap(partial, recipe.packages)
        for path, text in recipe.files.items():
            (partial / path).parent.mkdir(parents=True, exist_ok=True)
            (partial / path).write_text(text)
            if text.startswith("#!"):
                (partial / path).chmod(0o755)
        partial.rename(target)
    return target


def _bootstrap(target: Path, packages: tuple[str, ...]) -> None:
    words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}", _release()]
    try:
        if os.geteuid() == 0:
            _run([*words, str(target), *_sources()])
        else:
            # Files of many owners cannot be made as one user, but read out of an archive as one's own.
            archive = target.with_suffix(".tar")
            _run([*words, str(archive), *_sources()])
            target.mkdir()
            _run(["tar", "-xf", str(archive), "-C", str(target), "--exclude=./dev/*", "--no-same-owner"])
            archive.unlink()
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        last = (said.strip().splitlines() or ["nothing was said"])[-1]
        raise LocalAwsError(f"The Debian root of machines could not be built: {last}") from error


def _run(words: list[str]) -> None:
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=True)


def _release() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def _sources() -> list[str]:
    return next(([path] for path in SOURCES if _release() and Path(path).is_file()), [])

"""Level nspawn: systemd is the machine's process 1, so that units, timers, shutdown and power-off are the real ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from local_aws.levels import debian_root, hardware
from local_aws.levels.base import Level, complaint, first_process, python

# Not --fork: the program in it is the process that the host started, and supervises systemd-nspawn.
UNSHARE = ["unshare", "--mount", "--net"]
TRIAL = f"{hardware.TRIAL} && mount -t cgroup2 none /sys/fs/cgroup"


class Nspawn(Level):
    """Needs root, and systemd-nspawn (Debian package systemd-container)."""

    name = "nspawn"
    own_network = True

    def reason_not_to(self) -> str:
        if os.name != "posix" or os.geteuid() != 0:
            return "it needs root"
        if shutil.which("systemd-nspawn") is None:
            return "there is no systemd-nspawn (Debian package systemd-container)"
        return complaint([*UNSHARE, "sh", "-c", TRIAL]) or debian_root.reason_not_to()

    def prepare(self, say: Callable[[str], None]) -> None:
        debian_root.build(say)

    def leader(self, machine: int) -> int:
        children = psutil.Process(machine).children()  # systemd-nspawn
        return first_process(children[0].pid if children else machine)

    def words(self, folder: Path, power: int, listeners_socket: int | None) -> list[str]:
        return [*UNSHARE, *python("local_aws.levels.in_nspawn", folder, power, listeners_socket)]

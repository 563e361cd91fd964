"""Level qemu: a whole virtual machine, with a kernel, a disk and a clock of its own. On demand only: it is slow."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from local_aws.levels import debian_root, virtual_disk
from local_aws.levels.base import Level, complaint, python

# All that this level needs of qemu, in small: the emulated processor, and the network in user space.
TRIAL = (
    "echo quit | qemu-system-x86_64 -accel tcg,thread=multi -nodefaults -display none -monitor stdio -S -m 16M"
    " -netdev user,id=network,restrict=on -device virtio-net-pci,netdev=network,romfile= -device virtio-rng-pci"
)


class Qemu(Level):
    """Needs qemu (Debian packages qemu-system-x86 and qemu-utils); no privilege, and no virtualization in hardware."""

    name = "qemu"
    own_network = True
    on_demand = True
    grace = 60.0

    def reason_not_to(self) -> str:
        for words in (["qemu-img", "--version"], ["sh", "-c", TRIAL]):
            if reason := complaint(words):
                return f"{reason} (Debian packages qemu-system-x86, qemu-utils)"
        with tempfile.TemporaryDirectory() as folder:
            words = virtual_disk.file_system(Path(folder, "disk"), Path(folder), 1024**2)
            if reason := complaint(words):
                return f"{reason} (Debian package e2fsprogs)"
        return debian_root.reason_not_to(virtual_disk.RECIPE)

    def prepare(self, say: Callable[[str], None]) -> None:
        virtual_disk.build(say)

    def words(self, folder: Path, power: int, listeners_socket: int | None) -> list[str]:
        return python("local_aws.levels.in_qemu", folder, power, listeners_socket)

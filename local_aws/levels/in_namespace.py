"""Process 1 of a machine of level namespace: `python -m local_aws.levels.in_namespace FOLDER POWER SOCKET`.

Makes the machine's file system, moves into it, and is its manager (local_aws.machine) from then on. The interpreter, this
package and the instance's folder are seen inside at their own paths.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from local_aws.home import REPOSITORY_ROOT
from local_aws.levels import debian_root, hardware
from local_aws.machine.computer import Computer
from local_aws.machine_process import MachineSettings

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main() -> int:
    folder, power, listeners_socket = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = MachineSettings.read(folder)
    hardware.private_mounts()
    hardware.open_network(listeners_socket, settings.aws_port)
    merged = hardware.lay_root(debian_root.root(), folder, settings.disk_bytes)
    _mount_system(merged)
    own = {folder, Path(settings.control_socket).parent, REPOSITORY_ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    own.discard(Path("/usr"))  # the distribution's own interpreter, which the Debian root has too
    for path in sorted(own):
        inside = merged / path.relative_to("/")
        inside.mkdir(parents=True, exist_ok=True)
        hardware.mount("--rbind", path, inside)
    os.chroot(merged)
    os.chdir("/")
    asyncio.run(Computer(settings, power, root=Path("/")).run())
    return 0


def _mount_system(merged: Path) -> None:
    hardware.mount("-t", "proc", "proc", merged / "proc")
    for name in ("run", "tmp", "dev"):
        hardware.mount("-t", "tmpfs", "tmpfs", merged / name)
    for name in DEVICES:
        (merged / "dev" / name).touch()
        hardware.mount("--bind", f"/dev/{name}", merged / "dev" / name)
    (merged / "dev/shm").mkdir()
    hardware.mount("-t", "tmpfs", "tmpfs", merged / "dev/shm")
    for link, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (merged / "dev" / link).symlink_to(f"/proc/self/{target}")
    # cloud-init asks the metadata service only on hardware that says it is Amazon's.
    hardware.mount("-t", "sysfs", "sysfs", merged / "sys")
    layers = f"{merged}/usr/lib/local-aws/sys:{merged}/sys"
    hardware.mount("-t", "overlay", "hardware", "-o", f"ro,lowerdir={layers}", merged / "sys")


if __name__ == "__main__":
    raise SystemExit(main())

"""The disk of a virtual machine: a file system that all of them share and never write to, and a layer for each of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from local_aws.home import LocalAwsError
from local_aws.levels import debian_root
from local_aws.levels.debian_root import Recipe

AWS_ADDRESS = "169.254.169.253"
# Nothing says "Ec2" in here: cloud-init sees what hardware it runs on, and brings up its network, as on EC2.
RECIPE = Recipe(
    (*debian_root.PACKAGES, "linux-image-cloud-amd64", "initramfs-tools", "ifupdown", "isc-dhcp-client", "e2fsprogs"),
    {
        "etc/cloud/cloud.cfg.d/99-local-aws.cfg": debian_root.CLOUD_CONFIG.format(disk="resizefs, "),
        "etc/hostname": "localhost\n",
        # Every program of the machine finds AWS where it is; on EC2 nobody needs to be told.
        "etc/systemd/system.conf.d/local-aws.conf": f'[Manager]\nDefaultEnvironment="AWS_ENDPOINT_URL=http://{AWS_ADDRESS}"\n',
    },
)
BASE_BYTES = 2 * 1024**3  # the smallest disk there is; the file has holes
NAME = "disk.qcow2"  # in the instance's folder


def file_system(base: Path, folder: Path, size: int = BASE_BYTES) -> list[str]:
    """The command that makes the file `base` an ext4 file system with what is in `folder`."""
    words = ["mkfs.ext4", "-q", "-F", "-L", "root", "-d", str(folder), str(base), f"{size // 1024}k"]
    # The Debian root that was built without root is one's own, and in this namespace what is one's own is root's.
    return words if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", *words]


def build(say: Callable[[str], None]) -> None:
    """Make what the machines share, unless it is there. Raises LocalAwsError."""
    root = debian_root.build(say, RECIPE)
    if _base().exists():
        return
    partial = _base().with_suffix(f".{os.getpid()}")
    try:
        subprocess.run(file_system(partial, root), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        partial.unlink(missing_ok=True)
        said = getattr(error, "stderr", "") or error
        raise LocalAwsError(f"The disk of machines could not be made: {said}") from error
    partial.rename(_base())


def kernel() -> tuple[Path, Path]:
    """The kernel of the machines and its initial RAM disk."""
    boot = debian_root.root(RECIPE) / "boot"
    return next(boot.glob("vmlinuz-*")), next(boot.glob("initrd.img-*"))


def lay(folder: Path, size: int) -> None:
    """Make the instance's disk, of `size` bytes, on its first boot. Raises subprocess.CalledProcessError."""
    if not (folder / NAME).exists():
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", _base(), folder / NAME]
        subprocess.run([*words, str(max(size, BASE_BYTES))], check=True)


def _base() -> Path:
    return debian_root.root(RECIPE).with_suffix(".ext4")

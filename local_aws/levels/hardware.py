"""What a machine with namespaces of its own is made of. Runs inside them, as their root."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

METADATA_ADDRESS = "169.254.169.254"
# Everything that a machine's hardware is made by, in small; an error means that it cannot be done here.
TRIAL = """
mount --make-rprivate / && ip link set lo up && ip addr add 169.254.169.254/32 dev lo &&
t=$(mktemp -d) && mount -t tmpfs trial "$t" && mkdir "$t/lower" "$t/upper" "$t/work" "$t/merged" &&
mount -t overlay trial -o "lowerdir=$t/lower,upperdir=$t/upper,workdir=$t/work" "$t/merged" && umount "$t/merged" "$t" &&
rmdir "$t" """


def mount(*words: object) -> None:
    """mount(8). Raises OSError with what it says."""
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"mount {' '.join(map(str, words))}: {done.stderr.strip() or done.returncode}")


def private_mounts() -> None:
    """From here on nothing that is mounted is seen outside."""
    mount("--make-rprivate", "/")


def open_network(listeners_socket: int, aws_port: int) -> None:
    """Bring up the loopback, and hand out two listeners in it: the metadata service's, and AWS's on `aws_port`.

    Who answers on them is outside, at the other end of `listeners_socket`.
    """
    for words in (["link", "set", "lo", "up"], ["addr", "add", f"{METADATA_ADDRESS}/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)
    listeners = [
        socket.create_server((METADATA_ADDRESS, 80)),
        socket.create_server(("127.0.0.1", aws_port), backlog=128),
    ]
    with socket.socket(fileno=listeners_socket) as channel:
        socket.send_fds(channel, [b"listeners"], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()


def lay_root(lower: Path, folder: Path, disk_bytes: int | None) -> Path:
    """Mount the machine's root: the Debian root, and over it `folder`/root, which has what the machine writes.

    With `disk_bytes` that is a disk of this size, in memory.
    """
    upper, work, merged = (folder / name for name in ("root", "work", "merged"))
    for path in (upper, work, merged):
        path.mkdir(exist_ok=True)
    if disk_bytes is not None:
        mount("-t", "tmpfs", "-o", f"size={disk_bytes}", "disk", upper)
        upper, work = upper / "disk", upper / "work"
        upper.mkdir()
        work.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    if not _real_root():
        options += ",userxattr"  # trusted.* attributes are not for the root of a user namespace
    mount("-t", "overlay", "overlay", "-o", options, merged)
    return merged


def _real_root() -> bool:
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]

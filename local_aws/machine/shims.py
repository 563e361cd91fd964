"""The commands of the machine that must not be those of the person's computer. They lie first on the PATH."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # of a system's services
MANAGED = ("systemctl", "shutdown", "poweroff", "reboot", "halt")


def base_python() -> str:
    """The interpreter below this virtual environment: what the image calls python3, without our packages."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def write_all(folder: Path, control_socket: str) -> None:
    """(Re)write every shim into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    python = base_python()
    _write(folder / "python3", f"exec {shlex.quote(python)} " + '"$@"')
    for name in MANAGED:
        _write(folder / name, _client_command(python, control_socket, name))
    if shutil.which("zstd", path=SYSTEM_PATH) is None:
        words = [sys.executable, "-I", str(Path(__file__).with_name("zstd_command.py"))]
        for name in ("zstd", "unzstd"):
            _write(folder / name, f"exec {shlex.join([*words, name])} " + '"$@"')


def replace_commands(root: Path, control_socket: str) -> None:
    """Put the managed commands of a machine's own file system in the place of systemd's, which is not running."""
    for name in MANAGED:
        for folder in ("usr/bin", "usr/sbin"):
            if os.path.lexists(root / folder / name):
                (root / folder / name).unlink()  # most are links to systemctl, which writing would follow
                _write(root / folder / name, _client_command("/usr/bin/python3", control_socket, name))


def _client_command(python: str, control_socket: str, name: str) -> str:
    client = Path(__file__).with_name("client.py")
    return f"exec {shlex.join([python, '-IS', str(client), control_socket, name])} " + '"$@"'


def _write(path: Path, command: str) -> None:
    # A shell script and no symbolic link: a link into a virtual environment would bring its packages along, and the
    # path of an interpreter may be longer than a #! line may be.
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)

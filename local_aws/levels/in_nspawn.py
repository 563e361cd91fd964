"""What a machine of level nspawn runs in: `python -m local_aws.levels.in_nspawn FOLDER POWER SOCKET`.

Makes network and file system, starts systemd-nspawn, and is the machine's power supply: a byte on POWER presses the
button, its end (the host is gone, or switches off) kills the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from local_aws.home import MACHINE_VARIABLE, write_atomically
from local_aws.levels import debian_root, hardware
from local_aws.machine_process import MachineSettings

CGROUPS = Path("/sys/fs/cgroup")
REBOOT = 133  # systemd-nspawn's exit code for it, when it keeps to one unit


def main() -> int:
    folder, power, listeners_socket = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    settings = MachineSettings.read(folder)
    hardware.private_mounts()
    hardware.open_network(listeners_socket, settings.aws_port)
    merged = hardware.lay_root(debian_root.root(), folder, settings.disk_bytes)
    _tell(merged, settings)
    cgroup = _own_cgroup(settings.instance_id)
    with (folder / "console.log").open("ab") as console:
        machine = subprocess.Popen(
            _nspawn(settings, merged),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**os.environ, MACHINE_VARIABLE: settings.marker},
            start_new_session=True,
        )
    code = _supply(machine, power)
    _remove(cgroup)
    if code in (0, REBOOT):
        write_atomically(folder / "power.json", json.dumps({"action": "reboot" if code == REBOOT else "poweroff"}))
    return 0


def _nspawn(settings: MachineSettings, merged: Path) -> list[str]:
    return [
        "systemd-nspawn",
        "--quiet",
        f"--directory={merged}",
        f"--machine={settings.instance_id}",
        # No part of this computer's own systemd, which may not even run.
        *("--register=no", "--keep-unit"),
        f"--network-namespace-path=/proc/{os.getpid()}/ns/net",
        *("--link-journal=no", "--resolv-conf=off", "--timezone=off"),
        "--console=read-only",
        # The power button: SIGRTMIN+4 is systemd's "power off".
        "--kill-signal=SIGRTMIN+4",
        f"--setenv={MACHINE_VARIABLE}={settings.marker}",
        "--setenv=SYSTEMD_LOG_COLOR=0",
        "--setenv=SYSTEMD_COLORS=0",
        "/usr/lib/local-aws/init",
    ]


def _tell(merged: Path, settings: MachineSettings) -> None:
    """Every program of the machine finds AWS where it is; on EC2 nobody needs to be told."""
    folder = merged / "etc/systemd/system.conf.d"
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[Manager]\nDefaultEnvironment="AWS_ENDPOINT_URL={settings.endpoint}"\n'
    (folder / "local-aws.conf").write_text(text)


def _own_cgroup(name: str) -> Path:
    """Move this process to a group of its own, which the machine's groups come to lie in."""
    # Where this computer still has the first version, the second one's tree is mounted elsewhere or not at all.
    hardware.mount("-t", "cgroup2", "none", CGROUPS)
    own = CGROUPS / f"local-aws-{name}-{os.getpid()}"
    own.mkdir()
    (own / "cgroup.procs").write_text(str(os.getpid()))
    return own


def _remove(cgroup: Path) -> None:
    """Leave the group and remove it; what is killed takes a moment to be gone from it."""
    (CGROUPS / "cgroup.procs").write_text(str(os.getpid()))
    deadline = time.monotonic() + 2
    while cgroup.exists() and time.monotonic() < deadline:
        for path in sorted(cgroup.rglob("*/"), reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()
        with contextlib.suppress(OSError):
            cgroup.rmdir()
        time.sleep(0.01)


def _supply(machine: subprocess.Popen[bytes], power: int) -> int:
    """Wait for the machine's end and return its exit code; do what the power line says meanwhile."""
    with selectors.DefaultSelector() as selector:
        ended = os.pidfd_open(machine.pid)
        selector.register(ended, selectors.EVENT_READ)
        selector.register(power, selectors.EVENT_READ)
        while machine.poll() is None:
            for key, _ in selector.select():
                if key.fd != power:
                    continue
                if os.read(power, 64):
                    machine.send_signal(signal.SIGTERM)
                else:
                    selector.unregister(power)
                    _kill(machine)
        os.close(ended)
    return machine.wait()


def _kill(machine: subprocess.Popen[bytes]) -> None:
    """The kernel kills all of the machine with its process 1; systemd-nspawn then ends by itself, or is helped to."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(machine.pid).children():
            child.kill()
    try:
        machine.wait(1.0)
    except subprocess.TimeoutExpired:
        machine.kill()


if __name__ == "__main__":
    raise SystemExit(main())

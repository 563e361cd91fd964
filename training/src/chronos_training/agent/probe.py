"""What a machine and its image are: facts for people, gathered by a run of a special kind instead of a training.

Runs under the image's own Python, and needs nothing else: what is not there is said to be missing, and why. The facts go
with the run's results, as `probe.json` in its prefix.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = "probe.json"
COMMAND_SECONDS = 60.0
# Importing torch from a volume that is read for the first time takes minutes.
TORCH_SECONDS = 600.0
LONGEST = 6000  # characters of a program's output
# Kernel file systems without which the environment's image cannot be mounted.
FILE_SYSTEMS = ("squashfs", "erofs", "overlay")


class Missing(Exception):
    """A fact is not available here; the text says why."""


def said_by(*words: str, seconds: float = COMMAND_SECONDS) -> str:
    """Return what a program prints. Missing when it is not there, fails or does not end."""
    if shutil.which(words[0]) is None:
        raise Missing(f"{words[0]} is not installed")
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(words)} did not finish in {seconds:.0f} s") from None
    except OSError as error:
        raise Missing(f"{words[0]}: {error.strerror}") from None
    text = done.stdout.decode(errors="replace").strip()[:LONGEST]
    if done.returncode != 0:
        raise Missing(f"{' '.join(words)}: exit code {done.returncode}{': ' + text.splitlines()[-1] if text else ''}")
    return text


def read(path: str) -> str:
    """Return the text of a file of the kernel or the image. Missing when it cannot be read."""
    try:
        return Path(path).read_text(errors="replace").strip()[:LONGEST]
    except OSError as error:
        raise Missing(f"{path}: {error.strerror}") from None


def _system() -> str:
    names = dict(line.split("=", 1) for line in read("/etc/os-release").splitlines() if "=" in line)
    return names.get("PRETTY_NAME", "").strip('"') or "unnamed"


def _pythons() -> dict[str, str]:
    found = {"of this run": platform.python_version()}
    for folder in ("/usr/bin", "/usr/local/bin"):
        for path in sorted(Path(folder).glob("python3*")):
            if path.name.replace(".", "")[6:].isdigit():
                found[str(path)] = said_by(str(path), "--version").removeprefix("Python ")
    return found


def _memory() -> dict[str, int]:
    lines = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines() if ":" in line)
    return {name: int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable") if name in lines}


def _mounts() -> list[str]:
    """Return the mounts of disks: device, place, kind and options."""
    return [line.rsplit(" ", 2)[0] for line in read("/proc/mounts").splitlines() if line.startswith("/dev/")]


def _file_systems() -> dict[str, str]:
    known = {line.split()[-1] for line in read("/proc/filesystems").splitlines() if line.split()}
    found = {}
    for name in FILE_SYSTEMS:
        if name in known:
            found[name] = "in the kernel"
            continue
        try:
            said_by("modprobe", "--dry-run", name)
            found[name] = "a module, not loaded yet"
        except Missing as reason:
            found[name] = f"missing: {reason}"
    return found


def _nvme_service() -> dict[str, str]:
    shown = said_by("systemctl", "show", "dlami-nvme.service", "--property=LoadState,ActiveState,SubState,Result")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def _gpu() -> dict[str, Any]:
    began = time.monotonic()
    text = said_by("nvidia-smi")
    return {"first_seconds": round(time.monotonic() - began, 3), "nvidia_smi": text}


def _torch(environment: Path) -> dict[str, Any]:
    python = environment / "bin/python3"
    if not os.access(python, os.X_OK):
        raise Missing("no environment was published, or it could not be installed")
    text = said_by(str(python), "-m", "chronos_training.training.probe", seconds=TORCH_SECONDS)
    try:
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
    except (ValueError, IndexError):
        raise Missing(f"the environment's Python printed no JSON: {text[-200:]}") from None
    return found


def facts(environment: Path) -> dict[str, Callable[[], Any]]:
    """Return what gathers each fact, by the fact's name, in the order in which they are told."""
    return {
        "system": _system,
        "kernel": lambda: platform.release(),
        "systemd": lambda: said_by("systemctl", "--version").splitlines()[0],
        "python": _pythons,
        "cloud_init": lambda: said_by("cloud-init", "--version"),
        "cloud_init_times": lambda: said_by("cloud-init", "analyze", "show"),
        "boot_times": lambda: said_by("systemd-analyze"),
        "uptime_seconds": lambda: float(read("/proc/uptime").split()[0]),
        "cpus": os.cpu_count,
        "memory_bytes": _memory,
        "lsblk": lambda: said_by("lsblk", "-f"),
        "mounts": _mounts,
        "df": lambda: said_by("df", "-hT"),
        "dlami_nvme": _nvme_service,
        "zstd": lambda: said_by("zstd", "--version"),
        "file_systems": _file_systems,
        "unattended_upgrades": lambda: said_by(
            "systemctl", "show", "unattended-upgrades.service", "--property=ActiveState"
        ),
        "gpu": _gpu,
        "torch": lambda: _torch(environment),
    }


def gather(environment: Path, write: Callable[[dict[str, Any]], None]) -> None:
    """Gather every fact and `write` what there is after each: one that hangs or kills leaves those before it."""
    found: dict[str, Any] = {"facts": {}, "missing": {}}
    for name, get in facts(environment).items():
        try:
            found["facts"][name] = get()
        except Missing as reason:
            found["missing"][name] = str(reason)
        except Exception as error:  # one fact is not worth the others
            found["missing"][name] = f"{type(error).__name__}: {error}"
        write(found)


def main() -> int:
    """Wait for the word to go, gather, and store what was found in the output folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--environment", type=Path, required=True)
    options = parser.parse_args()
    sys.stdin.readline()
    partial, whole = options.output / f"{FILE}.partial", options.output / FILE

    def write(found: dict[str, Any]) -> None:
        partial.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        partial.replace(whole)

    gather(options.environment, write)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What poetry.lock says for one target: names, versions and hashes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib
from packaging.markers import Marker, default_environment
from packaging.utils import canonicalize_name

from chronos_training.core.commands import make
from chronos_training.core.errors import TrainingError


@dataclass(frozen=True)
class Pin:
    """One locked package. `hashes` are `sha256:…` of every file of this version."""

    name: str
    version: str
    hashes: tuple[str, ...]


def this_machine() -> dict[str, str]:
    """Return the marker values of the interpreter that runs this."""
    return {key: str(value) for key, value in default_environment().items()}


def linux_x86_64(python: str) -> dict[str, str]:
    """Return the marker values of CPython `python` (such as `3.11.13`) on an x86_64 Linux instance."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path} does not exist.", hint="It is part of this repository: restore it with git.", code="build_failed"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{path} is not readable as TOML: {error}.", hint=f"Write it again: {make('lock')}", code="build_failed"
        ) from error


def _applies(marker: object, extras: Collection[str], environment: Mapping[str, str]) -> bool:
    if not marker:
        return True
    parsed = Marker(str(marker))
    return any(parsed.evaluate({**environment, "extra": extra}) for extra in (*extras, ""))


def pins(lock: Path, *, extras: Collection[str], environment: Mapping[str, str]) -> list[Pin]:
    """Return what `lock` holds for the project with `extras` where the markers have the values of `environment`.

    Raises TrainingError when the lock is missing or unreadable, or holds two versions of a package for this target.
    """
    found: dict[str, Pin] = {}
    for package in _read(lock).get("package", []):
        if "main" not in package.get("groups", ["main"]):
            continue
        markers = package.get("markers")
        if not _applies(markers.get("main") if isinstance(markers, dict) else markers, extras, environment):
            continue
        name = canonicalize_name(package["name"])
        pin = Pin(name, package["version"], tuple(sorted(file["hash"] for file in package["files"])))
        if name in found:
            raise TrainingError(
                f"{lock} has both {name} {found[name].version} and {pin.version} for the same target.",
                hint="Pin one version in pyproject.toml and lock again.",
                code="build_failed",
            )
        found[name] = pin
    return sorted(found.values(), key=lambda pin: pin.name)


def without_gpu(locked: list[Pin]) -> list[Pin]:
    """Return the pins without NVIDIA's libraries and the compiler for its GPUs: a CPU build of torch needs none of them."""
    return [pin for pin in locked if not pin.name.startswith(("nvidia-", "cuda-")) and pin.name != "triton"]


def requirements(pyproject: Path, *, extras: Collection[str]) -> list[str]:
    """Return the requirement lines of the project and of `extras`. TrainingError when an extra is not there."""
    project = _read(pyproject).get("project", {})
    optional = project.get("optional-dependencies", {})
    missing = sorted(set(extras) - set(optional))
    if missing:
        raise TrainingError(f"{pyproject} has no extra {missing[0]!r}.", code="build_failed")
    return [*project.get("dependencies", []), *(line for extra in sorted(extras) for line in optional[extra])]

"""The units of the machine: loading them from /etc/systemd/system, and the jobs that systemctl asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from local_aws.machine import unit_files
from local_aws.machine.children import Children
from local_aws.machine.services import Service, Timer, Unit
from local_aws.machine.unit_files import UnitError

# Units of the real image that user data stops or masks. Here they exist, do nothing, and obey.
IMAGE_UNITS = {
    "apt-daily.service",
    "apt-daily.timer",
    "apt-daily-upgrade.service",
    "apt-daily-upgrade.timer",
    "unattended-upgrades.service",
    "snapd.service",
    "amazon-ssm-agent.service",
    "man-db.timer",
    "motd-news.timer",
}


class NotLoaded(UnitError):
    """There is no such unit."""


class Manager:
    """Implements services.Site, so units know nothing else of the machine."""

    def __init__(
        self, *, root: Path, folder: Path, shims: Path, environment: dict[str, str], children: Children, say: Any
    ) -> None:
        self.root = root
        self.shims = shims
        self.environment = environment
        self.children = children
        self.console = folder / "console.log"
        self.journal = folder / "journal.log"
        self.booted_at = time.monotonic()
        self.units: dict[str, Unit] = {}
        self.closed = False  # no job is accepted any more: the machine is going down
        self._say = say
        self._jobs: set[asyncio.Task[Any]] = set()

    @property
    def unit_folder(self) -> Path:
        return self.root / "etc/systemd/system"

    def say(self, text: str) -> None:
        self._say(f"systemd[1]: {text}")

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a job nobody waits for; a reference is kept, or asyncio might collect it."""
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task

    def start_unit(self, name: str, extra: dict[str, str] | None = None) -> None:
        async def job() -> None:
            try:
                await self.start(name, extra)
            except UnitError as error:
                self.say(str(error))

        if not self.closed:
            self.background(job())

    async def start(self, name: str, extra: dict[str, str] | None = None) -> str | None:
        """Start a unit with what it wants. Returns an error text, or None. Raises UnitError if it cannot be loaded."""
        if self.closed:
            return f"Failed to start {name}: Transaction is destructive: the machine is shutting down."
        unit = self.load(name)
        if unit is None:
            return None
        for key in ("Requires", "Wants"):
            for other in unit.file.words("Unit", key):
                if not other.endswith(".target"):
                    self.start_unit(other)
        path = unit.file.last("Unit", "ConditionPathExists")
        if path and unit_files_condition(self.root, path) is False:
            self.say(
                f"{unit.description} was skipped because of an unmet condition check (ConditionPathExists={path})."
            )
            return None
        if unit.state not in ("active", "activating"):
            self.say(f"Starting {unit.name} - {unit.description}...")
        error: str | None = await unit.start(extra)  # type: ignore[attr-defined]
        self.say(f"Failed to start {unit.name}." if error else f"Started {unit.name}.")
        return error

    async def stop(self, name: str, *, at_once: bool = False) -> None:
        unit = self.load(name)
        if unit is not None:
            await unit.stop(at_once=at_once)  # type: ignore[attr-defined]
            self.say(f"Stopped {unit.name}.")

    async def stop_all(self, *, at_once: bool = False) -> None:
        """Timers first, so that none of them starts anything while services go down together."""
        self.closed = True
        active = [unit for unit in self.units.values() if unit.state not in ("inactive", "failed")]
        for timer in [unit for unit in active if isinstance(unit, Timer)]:
            await timer.stop()
        services = [unit for unit in self.units.values() if isinstance(unit, Service) and (unit in active or unit.busy)]
        await asyncio.gather(*(service.stop(at_once=at_once) for service in services))

    def load(self, name: str) -> Unit | None:
        """The unit of that name (`.service` may be left out), None for one of IMAGE_UNITS.

        Raises NotLoaded when there is no file, UnitError when systemd would refuse it.
        """
        name = full_name(name)
        if name not in self.units:
            path = self.unit_folder / name
            if not path.is_file():
                if name in IMAGE_UNITS or name.endswith(".target"):
                    return None
                raise NotLoaded(f"Unit {name} not found.")
            if self.is_masked(name):
                raise UnitError(f"Unit {name} is masked.")
            self.units[name] = self._make(name, path)
        return self.units[name]

    def _make(self, name: str, path: Path) -> Unit:
        file = unit_files.parse(name, path.read_text())
        for warning in file.warnings:
            self.say(warning)
        return Timer(self, file, self._load_target) if name.endswith(".timer") else Service(self, file)

    def _load_target(self, name: str) -> Unit:
        unit = self.load(name)
        if unit is None:
            raise NotLoaded(f"Unit {name} not found.")
        return unit

    def reload(self) -> None:
        """daemon-reload: files are read again; running units keep their state and take the new settings."""
        for name, unit in list(self.units.items()):
            path = self.unit_folder / name
            if path.is_file():
                try:
                    unit.file = unit_files.parse(name, path.read_text())
                except UnitError as error:
                    self.say(str(error))
            elif unit.state in ("inactive", "failed"):
                del self.units[name]

    def is_masked(self, name: str) -> bool:
        path = self.unit_folder / name
        return path.is_symlink() and str(path.readlink()) == "/dev/null"

    def links(self, name: str) -> list[Path]:
        """The symbolic links that `enable` makes, from WantedBy= and RequiredBy=. Raises UnitError for none to make."""
        unit = self.load(name)
        if unit is None:
            return []
        file = unit.file
        return [
            self.unit_folder / f"{target}.{kind}" / unit.name
            for key, kind in (("WantedBy", "wants"), ("RequiredBy", "requires"))
            for target in file.words("Install", key)
        ]

    def enabled(self) -> list[str]:
        """Names of the units that a boot starts: what was put onto the machine, not what its image has."""
        found = {path.name for kind in ("wants", "requires") for path in self.unit_folder.glob(f"*.{kind}/*")}
        return sorted(name for name in found if (self.unit_folder / name).is_file())


def full_name(name: str) -> str:
    return name if name.endswith((".service", ".timer", ".target", ".socket", ".mount", ".path")) else name + ".service"


def unit_files_condition(root: Path, path: str) -> bool:
    """ConditionPathExists=[!]PATH, in the machine."""
    from local_aws.machine.paths import map_path

    negated = path.startswith("!")
    return Path(map_path(root, path.lstrip("!"))).exists() != negated

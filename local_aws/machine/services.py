"""A service and a timer of the machine's manager: their states and transitions, as in systemd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

from local_aws import processes
from local_aws.machine.children import Children, open_for_append
from local_aws.machine.paths import below_root, map_path
from local_aws.machine.unit_files import UnitFile, assignments, command_words, environment_file

UNIT_VARIABLE = "LOCAL_AWS_UNIT"
DEFAULT_TIMEOUT_STOP = 90.0  # seconds, systemd's DefaultTimeoutStopSec
DEFAULT_RESTART = 0.1
DEFAULT_START_LIMIT = (10.0, 5)  # at most 5 starts in 10 s


class Site(Protocol):
    """What units need to know of the machine they run in."""

    root: Path
    journal: Path
    console: Path
    environment: dict[str, str]
    shims: Path
    booted_at: float
    children: Children

    def say(self, text: str) -> None: ...

    def start_unit(self, name: str, extra: dict[str, str] | None = None) -> None: ...


@dataclass
class _ExecResult:
    code: int  # negative: signal
    ignored: bool = False

    @property
    def ok(self) -> bool:
        # systemd counts these signals as a clean end of a service
        return (
            self.ignored
            or self.code == 0
            or -self.code in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
        )


class Unit:
    """Common part: a name, a file, a state, and callbacks for those who follow the state (timers)."""

    def __init__(self, site: Site, file: UnitFile) -> None:
        self.site = site
        self.file = file
        self.name = file.name
        self.state = "inactive"  # inactive, activating, active, deactivating, failed
        self.result = "success"
        self.last_active: float | None = None  # monotonic, when it last left inactive
        self.last_inactive: float | None = None
        self.followers: list[Callable[[], None]] = []

    def set_state(self, state: str) -> None:
        if state == self.state:
            return
        idle = ("inactive", "failed")
        if self.state in idle and state not in idle:
            self.last_active = time.monotonic()
        if state in idle and self.state not in idle:
            self.last_inactive = time.monotonic()
        self.state = state
        for follow in list(self.followers):
            follow()

    @property
    def description(self) -> str:
        return self.file.last("Unit", "Description", self.name)


class Service(Unit):
    """Type=simple, exec and oneshot."""

    def __init__(self, site: Site, file: UnitFile) -> None:
        super().__init__(site, file)
        self.main_pid = 0
        self.exit_code = 0
        self.restarts = 0
        self._task: asyncio.Task[None] | None = None
        self._starts: list[float] = []
        self._stop_wanted = False
        self._leaders: list[int] = []  # of every process started in this activation
        self._extra: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self, extra: dict[str, str] | None = None) -> str | None:
        """Start unless it is up. Waits as systemctl does: for a oneshot until it ended. Returns an error text or None."""
        if self.state in ("active", "activating"):
            if self.state == "activating" and self._kind == "oneshot":
                await self._settled()
                return self._failure()
            return None
        if self.busy:  # deactivating: the start job waits for the stop to end
            await self._settled()
        self._stop_wanted = False
        self.restarts = 0
        self._extra = extra or {}
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(started))
        await started
        return self._failure()

    async def stop(self, *, at_once: bool = False) -> None:
        """TERM, then KILL after TimeoutStopSec. `at_once`: KILL."""
        self._stop_wanted = True
        if not self.busy:
            self.result = "success"
            self.set_state("inactive")
            return
        if self.state in ("active", "activating"):
            self.set_state("deactivating")
        await self._end_processes(at_once=at_once)
        await self._settled()

    def kill(self, number: int, *, main_only: bool) -> int:
        """`systemctl kill`. Returns how many processes the signal went to."""
        family = self.processes()
        if main_only:
            family = [process for process in family if process.pid == self.main_pid]
        processes.send(family, number)
        return len(family)

    def processes(self) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        for leader in self._leaders:
            for process in self.site.children.family(leader, (UNIT_VARIABLE, self.name)):
                found[process.pid] = process
        return list(found.values())

    @property
    def _kind(self) -> str:
        return self.file.last("Service", "Type", "simple")

    def _failure(self) -> str | None:
        if self.state != "failed":
            return None
        return (
            f"Job for {self.name} failed because the control process exited with error code ({self.result}).\n"
            f'See "systemctl status {self.name}" and the console for details.'
        )

    async def _settled(self) -> None:
        if self._task:
            await asyncio.wait([self._task])

    async def _run(self, started: asyncio.Future[None]) -> None:
        """One activation with all its automatic restarts. `started` is resolved when the start job is done."""
        try:
            while True:
                result = await self._activate_once(started)
                if self._stop_wanted or not self._restart_wanted(result):
                    break
                self.set_state("activating")
                await self._sleep_unless_stopped(self.file.seconds("Service", "RestartSec", DEFAULT_RESTART))
                if self._stop_wanted:
                    break
                self.restarts += 1
                self.site.say(f"{self.name}: Scheduled restart job, restart counter is at {self.restarts}.")
            if self._stop_wanted:
                # A stopped unit is inactive even if its processes had to be killed
                self.set_state("inactive")
            elif self.result == "success":
                if self._kind == "oneshot" and self.file.flag("Service", "RemainAfterExit"):
                    self.set_state("active")
                else:
                    self.set_state("inactive")
            else:
                self._fail()
        finally:
            if not started.done():
                started.set_result(None)

    async def _activate_once(self, started: asyncio.Future[None]) -> _ExecResult:
        self.result = "success"
        self._leaders = []
        if not self._within_start_limit():
            self.site.say(f"{self.name}: Start request repeated too quickly.")
            self.result = "start-limit-hit"
            return _ExecResult(1)
        self.set_state("activating")
        result = _ExecResult(0)
        commands = [*self.file.all("Service", "ExecStartPre"), *self.file.all("Service", "ExecStart")]
        for position, command in enumerate(commands):
            is_main = position >= len(self.file.all("Service", "ExecStartPre"))
            result = await self._execute(command, started if is_main and self._kind != "oneshot" else None)
            if not result.ok or self._stop_wanted:
                break
        if not result.ok and self.result == "success":
            self.result = "signal" if result.code < 0 else "exit-code"
        if not self._stop_wanted and not result.ok:
            how = (
                f"code=killed, signal={signal.Signals(-result.code).name}"
                if result.code < 0
                else f"code=exited, status={result.code}"
            )
            self.site.say(f"{self.name}: Main process exited, {how}")
            self.site.say(f"{self.name}: Failed with result '{self.result}'.")
        remaining = self.result == "success" and self.file.flag("Service", "RemainAfterExit")
        if not (remaining and not self._stop_wanted):
            await self._end_processes()  # whatever the main process left in the unit
            await self._after_stop(result)
        self.main_pid = 0
        return result

    async def _execute(self, command: str, started: asyncio.Future[None] | None) -> _ExecResult:
        """Run one Exec line to its end. `started` is resolved as soon as it has been forked."""
        environment = self._environment()
        words, ignored = command_words(command, environment)
        try:
            with ExitStack() as files:
                output, errors = self._streams(files)
                pid, future = self.site.children.spawn(
                    [self._program(words[0]), *words[1:]],
                    environment=environment,
                    directory=self._directory(),
                    output=output,
                    errors=errors,
                )
        except (OSError, IndexError, ValueError) as error:
            self.site.say(f"{self.name}: Failed to execute {words[0] if words else command!r}: {error}")
            self.exit_code, self.result = 203, "exit-code"
            return _ExecResult(203, ignored)
        self._leaders.append(pid)
        self.main_pid = pid
        if started is not None:
            self.set_state("active")
            if not started.done():
                started.set_result(None)
        elif self._kind != "oneshot" and self.state == "inactive":
            self.set_state("activating")
        limit = (
            self.file.seconds("Service", "TimeoutStartSec", float("inf")) if self._kind == "oneshot" else float("inf")
        )
        done, _ = await asyncio.wait([future], timeout=None if limit == float("inf") else limit)
        if not done:
            self.site.say(f"{self.name}: start operation timed out. Terminating.")
            await self._end_processes()
            self.result = "timeout"
        code = await future
        self.exit_code = code if code >= 0 else -code
        if str(code) in self.file.words("Service", "SuccessExitStatus"):
            code = 0
        return _ExecResult(code, ignored)

    async def _end_processes(self, *, at_once: bool = False) -> None:
        """Per KillMode, to the processes of this activation; returns when those that it ends are gone."""
        mode = self.file.last("Service", "KillMode", "control-group")
        if mode == "none" and not at_once:
            return

        def main_only() -> list[psutil.Process]:
            return [process for process in self.processes() if process.pid == self.main_pid]

        asked = main_only if mode in ("process", "mixed") else self.processes
        killed = main_only if mode == "process" and not at_once else self.processes
        if not at_once:
            processes.send(asked(), getattr(signal, self.file.last("Service", "KillSignal", "SIGTERM"), signal.SIGTERM))
            begin = time.monotonic()
            timeout = self.file.seconds("Service", "TimeoutStopSec", DEFAULT_TIMEOUT_STOP)
            while asked() and time.monotonic() < begin + timeout:
                await asyncio.sleep(0.02 if time.monotonic() > begin + 0.2 else 0.005)
            if asked():
                self.site.say(f"{self.name}: State 'stop-sigterm' timed out. Killing.")
                if not self._stop_wanted:
                    self.result = "timeout"
        while left := killed():
            processes.send(left, signal.SIGKILL)
            await asyncio.sleep(0.01)

    async def _after_stop(self, result: _ExecResult) -> None:
        for command in self.file.all("Service", "ExecStopPost"):
            self._extra = {
                **self._extra,
                "SERVICE_RESULT": self.result,
                "EXIT_CODE": "killed" if result.code < 0 else "exited",
                "EXIT_STATUS": signal.Signals(-result.code).name.removeprefix("SIG")
                if result.code < 0
                else str(result.code),
            }
            await self._execute(command, None)
        if self.file.all("Service", "ExecStopPost"):
            self.exit_code = abs(result.code)

    def _restart_wanted(self, result: _ExecResult) -> bool:
        if self.result == "start-limit-hit":
            return False
        policy = self.file.last("Service", "Restart", "no")
        clean = self.result == "success"
        return (
            policy == "always"
            or (policy == "on-failure" and not clean)
            or (policy == "on-success" and clean)
            or (policy == "on-abnormal" and (result.code < 0 and not clean))
        )

    def _within_start_limit(self) -> bool:
        interval = self.file.seconds("Unit", "StartLimitIntervalSec", DEFAULT_START_LIMIT[0])
        burst = int(self.file.last("Unit", "StartLimitBurst", str(DEFAULT_START_LIMIT[1])))
        now = time.monotonic()
        self._starts = [start for start in self._starts if start > now - interval]
        if interval and burst and len(self._starts) >= burst:
            return False
        self._starts.append(now)
        return True

    async def _sleep_unless_stopped(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stop_wanted and time.monotonic() < deadline:
            await asyncio.sleep(min(0.05, max(0.0, deadline - time.monotonic())))

    def _fail(self) -> None:
        self.set_state("failed")
        extra = {
            "MONITOR_UNIT": self.name,
            "MONITOR_SERVICE_RESULT": self.result,
            "MONITOR_EXIT_STATUS": str(self.exit_code),
        }
        for name in self.file.words("Unit", "OnFailure"):
            self.site.say(f"{self.name}: Triggering OnFailure= dependencies.")
            self.site.start_unit(name, extra)

    def _environment(self) -> dict[str, str]:
        environment = dict(self.site.environment)
        for line in self.file.all("Service", "Environment"):
            environment.update(assignments(line))
        for named in self.file.all("Service", "EnvironmentFile"):
            optional = named.startswith("-")
            path = Path(map_path(self.site.root, named.lstrip("-")))
            if path.is_file():
                environment.update(environment_file(path.read_text()))
            elif not optional:
                self.site.say(f"{self.name}: Failed to load environment files: {named}: No such file or directory")
        environment.update(self._extra)
        environment[UNIT_VARIABLE] = self.name
        return environment

    def _program(self, word: str) -> str:
        """The first word of an Exec line on the person's disk.

        An absolute path of a command that has a shim means the shim, wherever it says it lies: /usr/sbin/shutdown in a
        unit must end the machine and not the person's computer.
        """
        name = os.path.basename(word)
        if (self.site.shims / name).exists() and (
            word == name or not map_path(self.site.root, word).startswith(str(self.site.root))
        ):
            return str(self.site.shims / name)
        return map_path(self.site.root, word)

    def _directory(self) -> str:
        named = self.file.last("Service", "WorkingDirectory")
        if not named:
            return str(self.site.root)
        path = map_path(self.site.root, named.lstrip("-"))
        if named.startswith("-") and not os.path.isdir(path):
            return str(self.site.root)
        return path

    def _streams(self, files: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
        wanted = self.file.last("Service", "StandardOutput", "journal")
        output = files.enter_context(self._stream(wanted))
        named = self.file.last("Service", "StandardError", "inherit")
        errors = output if named == "inherit" else files.enter_context(self._stream(named))
        return output, errors

    def _stream(self, wanted: str) -> IO[bytes]:
        kind, _, path = wanted.partition(":")
        if kind in ("append", "file", "truncate") and path:
            target = below_root(self.site.root, path)
            if kind == "truncate":
                target.write_bytes(b"")
            return open_for_append(target)
        if kind == "null":
            return open_for_append(os.devnull)
        if kind in ("journal+console", "tty", "kmsg+console"):
            return open_for_append(self.site.console)
        return open_for_append(self.site.journal)


class Timer(Unit):
    """Monotonic timers: OnBootSec, OnStartupSec, OnActiveSec, OnUnitActiveSec, OnUnitInactiveSec."""

    def __init__(self, site: Site, file: UnitFile, find: Callable[[str], Unit]) -> None:
        super().__init__(site, file)
        self.target = file.last("Timer", "Unit") or self.name.removesuffix(".timer") + ".service"
        self._find = find
        self._task: asyncio.Task[None] | None = None
        self._activated = 0.0
        self._triggered: float | None = None

    async def start(self, _extra: dict[str, str] | None = None) -> str | None:
        if self.state == "active":
            return None
        self._find(self.target)  # a timer whose unit does not exist does not start
        self._activated = time.monotonic()
        self._triggered = None
        self.set_state("active")
        self._task = asyncio.create_task(self._run())
        return None

    async def stop(self, *, at_once: bool = False) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.set_state("inactive")

    async def _run(self) -> None:
        unit = self._find(self.target)
        changed = asyncio.Event()
        unit.followers.append(changed.set)
        try:
            while True:
                changed.clear()
                # While the unit is up nothing is due: systemd waits for it to go down before it calculates again.
                due = self._next(unit) if unit.state in ("inactive", "failed") else None
                wait = None if due is None else due - time.monotonic()
                if wait is not None and wait <= 0:
                    self._triggered = time.monotonic()
                    self.site.start_unit(self.target)
                    await asyncio.sleep(0)  # let the start begin; its state change wakes us
                    if unit.state in ("inactive", "failed"):
                        await self._until(changed, 1.0)
                    continue
                await self._until(changed, wait)
        finally:
            unit.followers.remove(changed.set)

    def _next(self, unit: Unit) -> float | None:
        """Monotonic time of the next elapse, None when there is none."""
        due = []
        for key, base, once in (
            ("OnBootSec", self.site.booted_at, True),
            ("OnStartupSec", self.site.booted_at, True),
            ("OnActiveSec", self._activated, True),
            ("OnUnitActiveSec", unit.last_active, False),
            ("OnUnitInactiveSec", unit.last_inactive, False),
        ):
            if not self.file.all("Timer", key) or base is None:
                continue
            at = base + self.file.seconds("Timer", key, 0.0)
            if once and self._triggered is not None and at <= self._triggered:
                continue  # a one-time trigger that has gone off
            if not once and self._triggered is not None and at < self._triggered and self._triggered > base:
                at = self._triggered + self.file.seconds("Timer", key, 0.0)  # the start failed before it was active
            due.append(at)
        return min(due, default=None)

    @staticmethod
    async def _until(event: asyncio.Event, seconds: float | None) -> None:
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

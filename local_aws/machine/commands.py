"""What `systemctl`, `shutdown` and `poweroff` do, given their words. Each returns an exit code and two texts."""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from local_aws.machine.manager import IMAGE_UNITS, Manager, NotLoaded, full_name
from local_aws.machine.services import Service, Timer, Unit
from local_aws.machine.unit_files import UnitError


@dataclass
class Reply:
    code: int = 0
    output: str = ""
    errors: str = ""


class Power(Protocol):
    """The machine's switches."""

    def power_off(self, action: str, *, force: int = 0) -> None: ...

    def schedule(self, action: str, seconds: float, message: str) -> None: ...

    def cancel_schedule(self) -> bool: ...

    def say(self, text: str) -> None: ...


class _Usage(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:  # type: ignore[override]
        raise _Usage(message)


async def run(words: list[str], manager: Manager, power: Power) -> Reply:
    """Dispatch by the command's name. Never raises."""
    name, arguments = words[0], words[1:]
    try:
        if name == "systemctl":
            return await _systemctl(arguments, manager, power)
        if name == "shutdown":
            return _shutdown(arguments, power)
        return _power_command(name, arguments, power)
    except (_Usage, UnitError) as error:
        return Reply(1, "", f"{name}: {error}\n")


async def _systemctl(arguments: list[str], manager: Manager, power: Power) -> Reply:
    parser = _Parser(prog="systemctl", add_help=False, allow_abbrev=False)
    parser.add_argument("verb", nargs="?", default="list-units")
    parser.add_argument("units", nargs="*")
    for switch in (
        "--no-block",
        "--now",
        "--quiet",
        "-q",
        "--wait",
        "--no-pager",
        "--value",
        "--system",
        "--no-legend",
    ):
        parser.add_argument(switch, action="store_true")
    parser.add_argument("--all", "-a", action="store_true")
    parser.add_argument("--force", "-f", action="count", default=0)
    parser.add_argument("--signal", "-s", default="SIGTERM")
    parser.add_argument("--kill-whom", "--kill-who", default="all")
    parser.add_argument("--property", "-p", action="append", default=[])
    parser.add_argument("--no-wall", action="store_true")
    parser.add_argument("--message", default="")
    options = parser.parse_intermixed_args(arguments)
    if options.verb in ("poweroff", "halt", "reboot"):
        return _power_command(options.verb, ["--force"] * options.force, power)
    if options.verb in ("daemon-reload", "daemon-reexec"):
        manager.reload()
        return Reply()
    if options.verb == "is-system-running":
        return Reply(1, "stopping\n") if manager.closed else Reply(0, "running\n")
    if options.verb in ("list-units", "list-timers"):
        return Reply(0, "".join(f"{unit.name} {unit.state} {unit.description}\n" for unit in manager.units.values()))
    verb = _VERBS.get(options.verb)
    if verb is None:
        raise _Usage(f"verb '{options.verb}' is not played at the process level of the embedded AWS")
    if not options.units and options.verb not in ("reset-failed", "show"):
        raise _Usage("Too few arguments.")
    reply = Reply()
    for name in options.units or list(manager.units):
        one: Reply = await verb(manager, full_name(name), options)
        reply = Reply(reply.code or one.code, reply.output + one.output, reply.errors + one.errors)
    if options.quiet or options.q:
        reply.output = ""
    return reply


async def _start(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    try:
        manager.load(name)
    except NotLoaded as error:
        return Reply(5, "", f"Failed to start {name}: {error}\n")
    if options.no_block:
        manager.start_unit(name)
        return Reply()
    error = await manager.start(name)
    return Reply(1, "", error + "\n") if error else Reply()


async def _stop(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    try:
        manager.load(name)
    except NotLoaded:
        return Reply(5, "", f"Failed to stop {name}: Unit {name} not loaded.\n")
    if options.no_block:
        manager.background(manager.stop(name))
    else:
        await manager.stop(name)
    return Reply()


async def _restart(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    async def both() -> Reply:
        await manager.stop(name)
        error = await manager.start(name)
        return Reply(1, "", error + "\n") if error else Reply()

    manager.load(name)
    if options.no_block:
        manager.background(both())
        return Reply()
    return await both()


async def _try_restart(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    unit = manager.load(name)
    return await _restart(manager, name, options) if unit and unit.state == "active" else Reply()


async def _enable(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    reply = Reply()
    if name not in IMAGE_UNITS:
        links = manager.links(name)
        if not links:
            reply.errors = (
                f"The unit file {name} has no installation config (WantedBy=, RequiredBy=, Alias= in [Install]).\n"
            )
        for link in links:
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(manager.unit_folder / name)
                reply.errors += (
                    f"Created symlink {_shown(manager, link)} → {_shown(manager, manager.unit_folder / name)}.\n"
                )
    if options.now:
        started = await _start(manager, name, options)
        reply = Reply(started.code, "", reply.errors + started.errors)
    return reply


async def _disable(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    for pattern in (f"*.wants/{name}", f"*.requires/{name}"):
        for link in manager.unit_folder.glob(pattern):
            link.unlink()
    return await _stop(manager, name, options) if options.now else Reply()


async def _mask(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    path = manager.unit_folder / name
    if path.is_file():
        return Reply(1, "", f"Failed to mask unit: File {_shown(manager, path)} already exists.\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to("/dev/null")
    return await _stop(manager, name, options) if options.now and name in IMAGE_UNITS else Reply()


async def _unmask(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    if manager.is_masked(name):
        (manager.unit_folder / name).unlink()
    return Reply()


async def _is_active(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    state = _state(manager, name)
    return Reply(0 if state == "active" else 3, state + "\n")


async def _is_failed(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    state = _state(manager, name)
    return Reply(0 if state == "failed" else 1, state + "\n")


async def _is_enabled(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    if name in manager.enabled():
        return Reply(0, "enabled\n")
    return Reply(1, "masked\n" if manager.is_masked(name) else "disabled\n")


async def _reset_failed(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    unit = manager.units.get(name)
    if unit and unit.state == "failed":
        unit.set_state("inactive")
    return Reply()


async def _kill(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    unit = manager.load(name)
    number = _signal(options.signal)
    if not isinstance(unit, Service) or not unit.kill(number, main_only=options.kill_whom == "main"):
        return Reply(1, "", f"Failed to kill unit {name}: No processes to kill\n")
    return Reply()


async def _status(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    try:
        unit = manager.load(name)
    except NotLoaded:
        return Reply(4, "", f"Unit {name} could not be found.\n")
    if unit is None:
        return Reply(3, f"○ {name} - a unit of the image; it does nothing at the process level\n")
    shown = _properties(manager, unit)
    lines = [
        f"● {unit.name} - {unit.description}",
        f"     Active: {unit.state} ({shown['SubState']}), result {unit.result}",
        f"   Main PID: {shown['MainPID']} (last exit status {shown['ExecMainStatus']}, {shown['NRestarts']} restarts)",
    ]
    return Reply(0 if unit.state == "active" else 3, "\n".join(lines) + "\n")


async def _show(manager: Manager, name: str, options: argparse.Namespace) -> Reply:
    try:
        unit = manager.load(name)
        shown = _properties(manager, unit) if unit else {"Id": name, "LoadState": "loaded", "ActiveState": "inactive"}
    except NotLoaded:
        shown = {"Id": name, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}
    wanted = [part for given in options.property for part in given.split(",")] or list(shown)
    pairs = [(key, shown[key]) for key in wanted if key in shown]
    return Reply(0, "".join(f"{value}\n" if options.value else f"{key}={value}\n" for key, value in pairs))


async def _cat(manager: Manager, name: str, _: argparse.Namespace) -> Reply:
    path = manager.unit_folder / name
    if not path.is_file():
        return Reply(1, "", f"No files found for {name}.\n")
    return Reply(0, f"# {_shown(manager, path)}\n{path.read_text()}")


_VERBS: dict[str, Any] = {
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "try-restart": _try_restart,
    "enable": _enable,
    "disable": _disable,
    "mask": _mask,
    "unmask": _unmask,
    "is-active": _is_active,
    "is-failed": _is_failed,
    "is-enabled": _is_enabled,
    "reset-failed": _reset_failed,
    "kill": _kill,
    "status": _status,
    "show": _show,
    "cat": _cat,
}


def _state(manager: Manager, name: str) -> str:
    try:
        unit = manager.load(name)
    except UnitError:
        return "inactive"
    return unit.state if unit else "inactive"


def _properties(manager: Manager, unit: Unit) -> dict[str, str]:
    sub = {"active": "running", "inactive": "dead", "failed": "failed", "activating": "start", "deactivating": "stop"}
    shown = {
        "Id": unit.name,
        "Description": unit.description,
        "LoadState": "loaded",
        "ActiveState": unit.state,
        "SubState": sub[unit.state],
        "Result": unit.result,
        "MainPID": "0",
        "ExecMainStatus": "0",
        "NRestarts": "0",
        "UnitFileState": "enabled" if unit.name in manager.enabled() else "disabled",
    }
    if isinstance(unit, Service):
        shown |= {
            "MainPID": str(unit.main_pid),
            "ExecMainStatus": str(unit.exit_code),
            "NRestarts": str(unit.restarts),
        }
        if unit.state == "active" and not unit.main_pid:
            shown["SubState"] = "exited"
        elif unit.state == "activating" and not unit.main_pid:
            shown["SubState"] = "auto-restart"
    elif isinstance(unit, Timer):
        shown |= {"SubState": "waiting" if unit.state == "active" else "dead", "Unit": unit.target}
    return shown


def _shown(manager: Manager, path: Path) -> str:
    return "/" + str(path.relative_to(manager.root))


def _signal(name: str) -> int:
    if name.isdigit():
        return int(name)
    number = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if number is None:
        raise _Usage(f"Failed to parse signal string {name}.")
    return int(number)


def _power_command(name: str, arguments: list[str], power: Power) -> Reply:
    parser = _Parser(prog=name, add_help=False)
    parser.add_argument("--force", "-f", action="count", default=0)
    for switch in ("--no-wall", "-p", "--poweroff", "-w", "--no-wtmp", "-d", "-n", "--no-sync"):
        parser.add_argument(switch, action="store_true")
    options = parser.parse_args(arguments)
    power.power_off("reboot" if name == "reboot" else "poweroff", force=options.force)
    return Reply()


def _shutdown(arguments: list[str], power: Power) -> Reply:
    """shutdown [-h|-P|-H|-r|-k|-c] [TIME] [MESSAGE…]; TIME is `now`, `+minutes` (default +1) or hh:mm."""
    flags = {word for word in arguments if word.startswith("-") and len(word) > 1}
    words = [word for word in arguments if word not in flags]
    known = {"-h", "-P", "-H", "-r", "-k", "-c", "-f", "--no-wall", "--poweroff", "--halt", "--reboot", "--show"}
    unknown = flags - known
    if unknown:
        raise _Usage(f"invalid option -- {sorted(unknown)[0]!r}")
    if "-c" in flags:
        if power.cancel_schedule():
            power.say("The system shutdown has been cancelled")
        return Reply()
    action = "reboot" if flags & {"-r", "--reboot"} else "poweroff"
    when, message = (words[0], " ".join(words[1:])) if words else ("+1", "")
    seconds = _delay(when)
    if "-k" in flags:
        power.say(message)
    elif seconds == 0:
        power.power_off(action)
    else:
        power.schedule(action, seconds, message)
        at = (datetime.now() + timedelta(seconds=seconds)).strftime("%a %Y-%m-%d %H:%M:%S")
        return Reply(0, "", f"Shutdown scheduled for {at}, use 'shutdown -c' to cancel.\n")
    return Reply()


def _delay(when: str) -> float:
    """Seconds until TIME of shutdown(8)."""
    if when in ("now", "+0", "0"):
        return 0.0
    minutes = when.lstrip("+")
    if minutes.isdigit():
        return int(minutes) * 60.0
    try:
        target = time.strptime(when, "%H:%M")
    except ValueError:
        raise _Usage(f"Failed to parse time specification: {when}") from None
    now = datetime.now()
    at = now.replace(hour=target.tm_hour, minute=target.tm_min, second=0, microsecond=0)
    return ((at if at > now else at + timedelta(days=1)) - now).total_seconds()


async def reply_to(words: list[str], manager: Manager, power: Power) -> Reply:
    """run(), with an unexpected error as a text: one bad command must not end the machine."""
    try:
        return await run(words, manager, power)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        return Reply(1, "", f"{words[0]}: internal error of the embedded AWS: {type(error).__name__}: {error}\n")

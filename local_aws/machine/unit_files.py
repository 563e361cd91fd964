"""Unit files: the subset of systemd that the project writes, read with systemd's own rules of quoting."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

_SUPPORTED = {
    "Unit": {
        "Description",
        "Documentation",
        "After",
        "Before",
        "Wants",
        "Requires",
        "OnFailure",
        "ConditionPathExists",
        "DefaultDependencies",
        "StartLimitIntervalSec",
        "StartLimitBurst",
    },
    "Service": {
        "Type",
        "ExecStart",
        "ExecStartPre",
        "ExecStopPost",
        "Environment",
        "EnvironmentFile",
        "WorkingDirectory",
        "Restart",
        "RestartSec",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "KillMode",
        "KillSignal",
        "StandardOutput",
        "StandardError",
        "RemainAfterExit",
        "SuccessExitStatus",
    },
    "Timer": {
        "OnBootSec",
        "OnStartupSec",
        "OnActiveSec",
        "OnUnitActiveSec",
        "OnUnitInactiveSec",
        "AccuracySec",
        "RandomizedDelaySec",
        "Unit",
    },
    "Install": {"WantedBy", "RequiredBy", "Also", "Alias"},
}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµ]*)")
_SECONDS = {
    "us": 1e-6,
    "usec": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}


class UnitError(Exception):
    """A unit that systemd would refuse to load; the text says why."""


@dataclass
class UnitFile:
    """Settings by section and name, each with all its values in order (an empty assignment has emptied the list)."""

    name: str
    settings: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def all(self, section: str, key: str) -> list[str]:
        return self.settings.get(section, {}).get(key, [])

    def last(self, section: str, key: str, default: str = "") -> str:
        values = self.all(section, key)
        return values[-1] if values else default

    def words(self, section: str, key: str) -> list[str]:
        return [word for value in self.all(section, key) for word in value.split()]

    def flag(self, section: str, key: str) -> bool:
        return self.last(section, key).lower() in ("1", "yes", "true", "on")

    def seconds(self, section: str, key: str, default: float) -> float:
        value = self.last(section, key)
        if not value:
            return default
        try:
            return time_span(value)
        except ValueError:
            self.warnings.append(f"{self.name}: failed to parse {key}={value}, ignoring")
            return default


def parse(name: str, text: str) -> UnitFile:
    """Read a unit file. Raises UnitError for what systemd would not load; lesser things become `warnings`."""
    unit = UnitFile(name)
    section = ""
    for number, line in enumerate(_logical_lines(text), start=1):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            if section not in _SUPPORTED and not section.startswith("X-"):
                unit.warnings.append(f"{name}: section [{section}] does nothing at the process level")
            continue
        key, separator, value = line.partition("=")
        key, value = key.strip(), value.strip()
        if not separator or not section:
            unit.warnings.append(f"{name}: missing '=' or section near {line[:60]!r} (entry {number}), ignoring line")
            continue
        if key not in _SUPPORTED.get(section, {key}):
            unit.warnings.append(f"{name}: {key}= in [{section}] does nothing at the process level")
        values = unit.settings.setdefault(section, {}).setdefault(key, [])
        if value:
            values.append(value)
        else:
            values.clear()
    _check(unit)
    return unit


def time_span(text: str) -> float:
    """systemd's spans to seconds: `90`, `1min 30s`, `500ms`, `infinity`. Raises ValueError."""
    text = text.strip().lower()
    if text == "infinity":
        return float("inf")
    position, total = 0, 0.0
    for match in _SPAN.finditer(text):
        if text[position : match.start()].strip() or match[2] not in _SECONDS:
            raise ValueError(f"not a time span: {text!r}")
        total += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if not text or text[position:].strip():
        raise ValueError(f"not a time span: {text!r}")
    return total


def command_words(command: str, environment: dict[str, str]) -> tuple[list[str], bool]:
    """Words of an Exec line with $VARIABLE replaced as systemd does. Also whether a failure is ignored (prefix `-`).

    ${NAME} is replaced inside words; $NAME only as a word of its own, where it is split; $$ is a dollar sign, %% a
    per cent sign.
    """
    ignore_failure = False
    while command[:1] in ("-", "@", ":", "+", "!"):
        ignore_failure = ignore_failure or command[0] == "-"
        command = command[1:]
    words: list[str] = []
    for word in shlex.split(command):
        alone = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
        if alone:
            words += environment.get(alone[1], "").split()
            continue
        word = re.sub(
            r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}",
            lambda match: "$" if match[0] == "$$" else environment.get(match[1], ""),
            word,
        )
        words.append(word.replace("%%", "%"))
    return words, ignore_failure


def assignments(value: str) -> dict[str, str]:
    """`Environment=` with several, possibly quoted, assignments."""
    pairs = (word.partition("=") for word in shlex.split(value))
    return {name: content.replace("%%", "%") for name, separator, content in pairs if separator}


def environment_file(text: str) -> dict[str, str]:
    """A file for `EnvironmentFile=`: NAME=value lines, comments with # or ;, quotes around a value taken off."""
    found = {}
    for line in text.splitlines():
        line = line.strip()
        name, separator, value = line.partition("=")
        if separator and line[0] not in "#;":
            try:
                found[name.strip()] = " ".join(shlex.split(value)) if value[:1] in ("'", '"') else value.strip()
            except ValueError:
                found[name.strip()] = value.strip()
    return found


def _logical_lines(text: str) -> list[str]:
    lines, pending = [], ""
    for line in text.splitlines():
        stripped = line.strip()
        if not pending and (not stripped or stripped[0] in "#;"):
            continue
        if pending and stripped[:1] in ("#", ";"):
            continue
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        lines.append(pending + stripped)
        pending = ""
    return [*lines, pending] if pending else lines


def _check(unit: UnitFile) -> None:
    if unit.name.endswith(".service"):
        starts = unit.all("Service", "ExecStart")
        kind = unit.last("Service", "Type", "simple")
        if not starts:
            raise UnitError(f"{unit.name}: Service has no ExecStart= setting. Refusing.")
        if kind not in ("simple", "exec", "oneshot"):
            raise UnitError(f"{unit.name}: Type={kind} is not played at the process level (simple, exec, oneshot are).")
        if len(starts) > 1 and kind != "oneshot":
            raise UnitError(
                f"{unit.name}: Service has more than one ExecStart= setting, which is only allowed for Type=oneshot."
            )
        restart = unit.last("Service", "Restart", "no")
        if restart not in ("no", "on-failure", "always", "on-success", "on-abnormal"):
            raise UnitError(f"{unit.name}: Restart={restart} is not a value that systemd knows or this level plays.")
        for start in starts:
            try:
                shlex.split(start)
            except ValueError as error:
                raise UnitError(f"{unit.name}: unbalanced quoting in ExecStart={start}: {error}") from error
    elif unit.name.endswith(".timer"):
        if not any(key.startswith("On") for key in unit.settings.get("Timer", {})):
            raise UnitError(f"{unit.name}: Timer unit lacks value setting. Refusing.")
    else:
        raise UnitError(f"{unit.name}: only .service and .timer units are played at the process level.")

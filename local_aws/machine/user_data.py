"""Reading user data as cloud-init does: what it accepts, what it warns of, what it silently passes over."""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from dataclasses import dataclass, field
from typing import Any

import yaml

# Modules of cloud-init that the process level does not play. On EC2 they would act, so they are named, not hidden.
KNOWN_ELSEWHERE = {
    "apt",
    "ca_certs",
    "chpasswd",
    "disk_setup",
    "final_message",
    "fs_setup",
    "groups",
    "growpart",
    "hostname",
    "locale",
    "mounts",
    "ntp",
    "output",
    "package_reboot_if_required",
    "package_update",
    "package_upgrade",
    "packages",
    "phone_home",
    "power_state",
    "resize_rootfs",
    "snap",
    "ssh_authorized_keys",
    "swap",
    "timezone",
    "users",
    "yum_repos",
}
ACTED_UPON = {"write_files", "bootcmd", "runcmd"}


class UserDataError(Exception):
    """User data that cloud-init would refuse as a whole. The machine runs on, having done nothing."""


@dataclass(frozen=True)
class FileToWrite:
    path: str
    content: bytes
    mode: int
    append: bool
    deferred: bool


@dataclass(frozen=True)
class CloudConfig:
    """What to do. Commands are strings (for sh) or lists of words. `warnings` go to the console first."""

    files: list[FileToWrite] = field(default_factory=list)
    boot_commands: list[Any] = field(default_factory=list)
    run_commands: list[Any] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse(raw: bytes) -> CloudConfig:
    """User data as EC2 hands it out (gzip'ed or not) to a CloudConfig. Raises UserDataError."""
    text = _text(raw)
    first = text.lstrip().split("\n", 1)[0].strip() if text.strip() else ""
    if not first:
        return CloudConfig()
    if first.startswith("#!"):
        # A plain script is run like one entry of runcmd.
        return CloudConfig(run_commands=[text])
    if first != "#cloud-config" and not text.startswith("#cloud-config"):
        raise UserDataError(f"Unhandled non-multipart (text/x-not-multipart) userdata: {first[:40]!r}...")
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserDataError(f"Failed loading yaml blob. Invalid format: {error}") from error
    if config is None:
        return CloudConfig()
    if not isinstance(config, dict):
        raise UserDataError(f"Failed loading yaml blob. Yaml load allows dict root types, got {type(config).__name__}")
    return _interpret(config)


def shell_script(commands: list[Any]) -> str:
    """One sh script of all commands, as cloud-init makes it: a failing one does not stop those after it, `cd` lasts."""
    lines = ["#!/bin/sh"]
    for command in commands:
        if isinstance(command, list):
            lines.append(" ".join("'" + str(word).replace("'", "'\\''") + "'" for word in command))
        else:
            lines.append(str(command))
    return "\n".join(lines) + "\n"


def _text(raw: bytes) -> str:
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise UserDataError(f"Failed to decompress user data: {error}") from error
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UserDataError(f"Unhandled userdata: not UTF-8 text ({error})") from error


def _interpret(config: dict[Any, Any]) -> CloudConfig:
    warnings = []
    for key in config:
        if key in KNOWN_ELSEWHERE:
            warnings.append(f"'{key}' is valid on EC2 but does nothing at the process level of the embedded AWS")
        elif key not in ACTED_UPON:
            warnings.append(f"Invalid cloud-config provided: Additional properties are not allowed ('{key}')")
    files = []
    for number, entry in enumerate(_list(config, "write_files", warnings)):
        try:
            files.append(_file(entry))
        except (TypeError, ValueError, KeyError, OSError, EOFError, zlib.error) as error:
            warnings.append(f"write_files: entry {number + 1} is skipped: {type(error).__name__}: {error}")
    return CloudConfig(
        files=files,
        boot_commands=_commands(config, "bootcmd", warnings),
        run_commands=_commands(config, "runcmd", warnings),
        warnings=warnings,
    )


def _list(config: dict[Any, Any], key: str, warnings: list[str]) -> list[Any]:
    value = config.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        warnings.append(f"Invalid cloud-config provided: {key}: {value!r} is not of type 'array'")
        return []
    return value


def _commands(config: dict[Any, Any], key: str, warnings: list[str]) -> list[Any]:
    commands = _list(config, key, warnings)
    for command in commands:
        if not isinstance(command, (str, list)):
            # cloud-init fails the whole module, not the one entry; a mapping is what `- echo a: b` unquoted becomes.
            warnings.append(
                f"Failed to shellify {key}: Unable to shellify type '{type(command).__name__}': {command!r}"
            )
            return []
    return commands


def _file(entry: dict[str, Any]) -> FileToWrite:
    path = entry["path"]
    if not isinstance(path, str) or not path:
        raise ValueError("no path provided to write")
    return FileToWrite(
        path=path,
        content=_decoded(entry.get("content") or "", str(entry.get("encoding") or "text/plain")),
        mode=_mode(entry.get("permissions")),
        append=bool(entry.get("append", False)),
        deferred=bool(entry.get("defer", False)),
    )


def _decoded(content: str | bytes, encoding: str) -> bytes:
    data = content if isinstance(content, bytes) else str(content).encode()
    steps = encoding.lower().replace("base64", "b64").replace("gzip", "gz").split("+")
    for step in reversed(steps):
        if step == "b64":
            try:
                data = base64.b64decode(data)
            except binascii.Error as error:
                raise ValueError(f"content is not base64: {error}") from error
        elif step == "gz":
            data = gzip.decompress(data)
        elif step not in ("text/plain", "text", ""):
            raise ValueError(f"unknown encoding {encoding!r}")
    return data


def _mode(permissions: Any) -> int:
    if permissions is None:
        return 0o644
    # YAML reads an unquoted 0644 as the octal number it looks like; a string is octal digits.
    return int(permissions) if isinstance(permissions, (int, float)) else int(str(permissions), 8)

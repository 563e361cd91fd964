"""Read poetry.lock and print what pip understands. Standard library only: it runs before anything is installed."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any


def _marker(package: dict[str, Any], groups: set[str]) -> str | None:
    """Return the package's environment marker for these groups; None when it belongs to none of them."""
    wanted = groups & set(package["groups"])
    if not wanted:
        return None
    markers = package.get("markers")
    if not isinstance(markers, dict):
        return markers or ""
    # One marker for each group: needed where any of them holds, and always where one group has none.
    if any(group not in markers for group in wanted):
        return ""
    return " or ".join(f"({markers[group]})" for group in sorted(wanted))


def _left_out(lock: Path) -> dict[str, list[str]]:
    """Return by group what is locked as a dependency of something and not installed with it, as the pyproject.toml says."""
    project = lock.with_name("pyproject.toml")
    if not project.is_file():
        return {}
    found = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("lockfile", {})
    return dict(found.get("left-out", {}))


def requirements(lock: Path, groups: set[str]) -> list[str]:
    """Return lines `name==version ; marker --hash=sha256:…`, sorted by name, of the packages in `groups`."""
    lines = []
    left_out = _left_out(lock)
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        wanted = {group for group in groups if package["name"] not in left_out.get(group, [])}
        marker = _marker(package, wanted)
        if marker is None:
            continue
        line = f"{package['name']}=={package['version']}"
        if marker:
            line += f" ; {marker}"
        hashes = sorted({file["hash"] for file in package["files"]})
        lines.append(" ".join([line, *(f"--hash={value}" for value in hashes)]))
    return sorted(lines)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: lockfile.py LOCK GROUP...")
    print("\n".join(requirements(Path(sys.argv[1]), set(sys.argv[2:]))))

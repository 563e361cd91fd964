"""docs/crash-table.md: one row for each boundary, written by the test.

`python -m tests.protocol.crash_table` rewrites it; with `-k "launch or kill"` only the parts of these commands.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from local_aws.home import REPOSITORY_ROOT
from tests.protocol.crash_cases import Boundary, Row

TABLE = REPOSITORY_ROOT / "docs/crash-table.md"
WRITE = "WRITE_CRASH_TABLE"
TITLES = {
    "launch": "Launch (on the controller)",
    "launch_two": "Launch of a run on two instances (on the controller)",
    "kill": "Kill with `force` of a run that its instance has claimed (on the controller)",
    "claim": "The boot claim and the first heartbeat (on the instance)",
    "cleanup": "Cleanup of a completed run (on the instance)",
    "cleanup_two": "Cleanup of a completed run on two instances (on the head node)",
    "watcher": "The watcher, ending a run whose pipeline died (on the instance)",
}
HEAD = """# A crash at every boundary

Written by the test run (`python -m tests.protocol.crash_table`); `make test` checks that no boundary of the present code is
missing, `make test-protocol` runs every row. In each row the process got SIGKILL **before** the request left, after it
was **sent** (nobody read the answer), or **after** the answer was read. "Found" is what was there then. "Reconciled by" is
what happened next, in order: an instance that had started tries to claim its run, the next command comes (launch, kill
and verify_cleanup with `fix`, in turn; on the instance its watcher, or the machine dies too), and at the end a kill if
anything is left. After each row nothing was left: no instance, volume, network interface, schedule or lock; and each
run that had taken the lock has its archived end. EC2's consistency window is half a second here, five minutes on AWS.
"""


def key(boundary: Boundary) -> tuple[str, str, str]:
    """Return what identifies a row."""
    return boundary.command, boundary.call, boundary.moment


def section(command: str, rows: list[Row]) -> str:
    """Return one command's part of the table as Markdown."""
    lines = [f"## {TITLES[command]}", "", "| call | killed | found | reconciled by |", "|---|---|---|---|"]
    lines += [f"| {r.boundary.call} | {r.boundary.moment} | {r.found} | {r.settled} |" for r in rows]
    return "\n".join(lines) + "\n"


def sections() -> dict[str, str]:
    """Return the parts of the committed table, by command."""
    if not TABLE.exists():
        return {}
    parts = ["## " + part.rstrip("\n") + "\n" for part in TABLE.read_text(encoding="utf-8").split("\n## ")[1:]]
    commands = {title: command for command, title in TITLES.items()}
    return {commands[part.splitlines()[0].removeprefix("## ")]: part for part in parts}


def committed_keys() -> set[tuple[str, str, str]]:
    """Return the keys of the rows in the committed table."""
    keys = set()
    for command, part in sections().items():
        for line in part.splitlines()[4:]:
            call, moment = [cell.strip() for cell in line.strip("|").split("|")][:2]
            keys.add((command, call, moment))
    return keys


def write(rows: list[Row]) -> None:
    """Write the parts of the commands in `rows` anew; the others stay as they are."""
    by_command = {command: [row for row in rows if row.boundary.command == command] for command in TITLES}
    parts = sections() | {command: section(command, found) for command, found in by_command.items() if found}
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join([HEAD, *(parts[command] for command in TITLES if command in parts)]), encoding="utf-8")


if __name__ == "__main__":
    os.environ[WRITE] = "1"
    here = Path(__file__).with_name("test_crashes.py")
    sys.exit(pytest.main(["-q", "-p", "no:xdist", "-m", "protocol", str(here), *sys.argv[1:]]))

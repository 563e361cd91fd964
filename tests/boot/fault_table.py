"""docs/fault-table.md: one row for each fault, written by the test.

`python -m tests.boot.fault_table` rewrites it; with `-k disk` only the rows of these cases.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.home import REPOSITORY_ROOT

from .fault_cases import CASES, End
from .scenario import Scenario

TABLE = REPOSITORY_ROOT / "docs/fault-table.md"
WRITE = "WRITE_FAULT_TABLE"
HEAD = """# What each fault of a machine ends in

Written by the test run (`python -m tests.boot.fault_table`); `make test-boot` runs every row, on a machine whose process 1
is systemd (level nspawn of the embedded AWS), launched by the playbooks. After each row the instance was terminated, what
had been logged until the fault was in S3 (of a machine that could store nothing more, all but the last seconds),
`verify_cleanup` found nothing left, and the run's archived state said what the row says. A `lost` run is reconciled by the next
command.

| fault | status | what the state says | kept in S3 | logs in S3 | ended by |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """The cells of one line."""

    cells: tuple[str, ...]

    def line(self) -> str:
        return "| " + " | ".join(self.cells) + " |"


def title(name: str) -> str:
    """The first cell of a case."""
    return (CASES[name].__doc__ or "").strip()


def row(scenario: Scenario, name: str, expected: End, said: str) -> Row:
    """What was seen of one case. Numbers and names that differ from run to run are taken out."""
    kept = {"everything": "model, report, checkpoints", "logs": "logs"}.get(expected.kept, expected.kept)
    said = (
        said.replace(scenario.instance_id, "i-…")
        .replace(scenario.run_id, "…")
        .replace(scenario.operator.bucket, "<bucket>")
    )
    said = re.sub(r"[0-9a-f]{64}", "…", said).replace("|", "\\|").replace("\n", " ")
    logs = ", ".join(scenario.stored_logs()) or "none"
    return Row((title(name), expected.status, said or "—", kept, logs, expected.by))


def committed() -> dict[str, str]:
    """The lines of the committed table, by their first cell."""
    if not TABLE.exists():
        return {}
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    return {line.strip("|").split(" | ")[0].strip(): line for line in lines}


def write(rows: dict[str, Row]) -> None:
    """Write the lines of `rows` anew; the others stay as they are."""
    lines = committed() | {title(name): made.line() for name, made in rows.items()}
    TABLE.write_text(HEAD + "".join(f"{lines[title(n)]}\n" for n in CASES if title(n) in lines), encoding="utf-8")


if __name__ == "__main__":
    os.environ[WRITE] = "1"
    here = Path(__file__).with_name("test_faults.py")
    sys.exit(pytest.main(["-q", "-p", "no:xdist", str(here), *sys.argv[1:]]))

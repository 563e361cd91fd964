"""Add up the reports of all test runners: where the time went, and one closing line. Exit code 1 when anything failed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

SLOWEST = 15  # files in the table


def count(folder: Path) -> dict[str, int]:
    """Return passed, failed and skipped over pytest's reports (*.xml) and the others' single results (*.one)."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for report in folder.glob("*.xml"):
        for suite in ET.parse(report).iter("testsuite"):
            tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            total["failed"] += failed
            total["skipped"] += skipped
            total["passed"] += tests - failed - skipped
    for result in folder.glob("*.one"):
        total[result.read_text(encoding="utf-8").strip()] += 1
    return total


def sections(folder: Path) -> list[tuple[str, int]]:
    """Return (section, seconds from its start to its end), in the order they were run."""
    try:
        lines = (folder / "seconds").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [(name, int(seconds)) for name, seconds in (line.split() for line in lines)]


def slowest(folder: Path) -> list[tuple[str, float]]:
    """Return (test file, seconds of its tests and their fixtures) of the files that took longest."""
    files: defaultdict[str, float] = defaultdict(float)
    for report in folder.glob("*.xml"):
        for case in ET.parse(report).iter("testcase"):
            module = str(case.get("classname", "")).split(".")
            name = next((i for i, part in enumerate(module) if part.startswith("test_")), len(module) - 1)
            files["/".join(module[: name + 1]) + ".py"] += float(case.get("time", 0))
    return sorted(files.items(), key=lambda one: -one[1])[:SLOWEST]


def where_the_time_went(folder: Path) -> str:
    """Return two tables, of sections and of the slowest test files."""
    rows = [(name, f"{seconds // 60}:{seconds % 60:02}") for name, seconds in sections(folder)]
    rows += [(name, f"{seconds:.0f} s") for name, seconds in slowest(folder)]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {time:>7}" for name, time in rows)


if __name__ == "__main__":
    print(f"\n{where_the_time_went(Path(sys.argv[1]))}")
    result = count(Path(sys.argv[1]))
    skipped = f", {result['skipped']} skipped" if result["skipped"] else ""
    print(f"\n{result['passed']} passed, {result['failed']} failed{skipped}")
    sys.exit(1 if result["failed"] else 0)

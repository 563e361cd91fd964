"""Add up the reports of all test runners and print one closing line. Exit code 1 when anything failed."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


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


if __name__ == "__main__":
    result = count(Path(sys.argv[1]))
    skipped = f", {result['skipped']} skipped" if result["skipped"] else ""
    print(f"\n{result['passed']} passed, {result['failed']} failed{skipped}")
    sys.exit(1 if result["failed"] else 0)

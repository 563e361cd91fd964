"""`python -m tests.bench [restore] [data] [boot]`: speed as ratios, measured on one machine in one go.

Exit code 0 whether targets are met or not; a part that cannot be measured ends it with the reason.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from chronos_training.core.output import run
from local_aws.home import REPOSITORY_ROOT

from . import boot, data, restore
from .table import Section

PAGE = REPOSITORY_ROOT / "docs/bench.md"

PARTS = ("restore", "data", "boot")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is taken (default: 3)")
    parser.add_argument("--write", action="store_true", help="write docs/bench.md")
    options = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    sections: list[Section] = []
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="chronos-bench-", dir=REPOSITORY_ROOT / ".cache") as folder:
            if part == "boot":
                sections.append(boot.measure(Path(folder)))
            else:
                sections.append({"restore": restore, "data": data}[part].measure(Path(folder), options.rounds))
            print("\n" + sections[-1].terminal(), flush=True)
    if options.write:
        PAGE.write_text(_page(sections, load), encoding="utf-8")
        print(f"written: {PAGE.relative_to(REPOSITORY_ROOT)}")


def _page(sections: list[Section], load: str) -> str:
    machine = (
        f"{os.cpu_count()} cores ({platform.machine()}), Linux {platform.release().split('-')[0]}, load {load} before"
    )
    today = datetime.now(timezone.utc).date()
    head = f"# How fast an instance starts\n\nWritten by `make bench ARGS=--write` on {today}: {machine}.\n"
    return "\n".join([head, *(section.markdown() for section in sections)])


if __name__ == "__main__":
    raise SystemExit(run(main))

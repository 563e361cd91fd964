"""`python -m tests.bench.gpu.worker …`: one process of those that a check starts. Its last line is its answer, as JSON."""

from __future__ import annotations

import json
import sys

from . import checks
from .cases import FULL, SMALL, Case


def main() -> None:
    """Do what the words say: `resume FAMILY DEVICE SMALL` or `rank NUMBER DEVICE SMALL`."""
    what, which, device, small = sys.argv[1:]
    scale = SMALL if small == "1" else FULL
    if what == "resume":
        found = checks.resume(Case(which, "tiny", "auto"), scale, device)
    else:
        found = checks.rank_main(device, scale)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

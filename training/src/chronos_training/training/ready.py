"""The first phase of the training process: load the libraries, tell what they found, wait for the data.

Preflight needs a process that imports torch and chronos; training needs them imported. One process does both, so that the
seconds of the import are spent once.
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path

from chronos_training.core.errors import TrainingError
from chronos_training.training.stopping import StopRequest

_POLL_SECONDS = 1.0


def announce(path: Path) -> None:
    """Write what torch and chronos are and whether there is a GPU, as JSON, to `path`; whole or not at all."""
    import chronos
    import torch

    cuda = torch.cuda.is_available()
    found = {
        "torch": torch.__version__,
        "chronos": chronos.__version__,
        "cuda_build": torch.version.cuda,
        "cuda": cuda,
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
    }
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(found) + "\n", encoding="utf-8")
    partial.rename(path)


def wait_for_go(stop: StopRequest) -> str:
    """Return the next line on standard input. Raises Stopped after SIGTERM, TrainingError when whoever asked is gone."""
    while not select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
        stop.check()
    line = sys.stdin.readline()
    if not line:
        raise TrainingError("The training was not started: the run ended before its data arrived.")
    return line.strip()

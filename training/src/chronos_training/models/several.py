"""One training in several processes: torchrun starts them, and starts them all again from the checkpoint when one is lost.

This process only watches: it passes a stop on, and ends the others when one of them has found what no new start mends.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from chronos_training.models.stopping import Stopped, StopRequest

RESTARTS = 3
PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.2
# Longer than one step and its checkpoint take; torchrun itself kills what is left 30 s after its own SIGTERM.
STOP_SECONDS = 55.0
# One store for all starts would give the second one the addresses of the first, where nobody listens any more.
VARIABLES = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
REFUSED = "refused.tmp"  # the sentence of a process that cannot go on; the ending says that it is no result


def rank() -> int:
    """Return the number of this process among all; torchrun tells."""
    return int(os.environ.get("RANK", "0"))


def is_one_of_several() -> bool:
    """Return whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, however that ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def note_refusal(output: Path, sentence: str) -> None:
    """Tell the process that watches why going on makes no sense."""
    if is_one_of_several():
        (output / REFUSED).write_text(sentence, encoding="utf-8")


def run(processes: int, options: argparse.Namespace, stop: StopRequest) -> int:
    """Run the training in `processes` processes on this machine; return the exit code for all of them.

    Raises Stopped after SIGTERM.
    """
    refused = options.output / REFUSED
    refused.unlink(missing_ok=True)
    # torchrun puts each process into a session of its own, where no signal to our group arrives: they end with their parent.
    process = subprocess.Popen(
        _command(processes, options),
        stdin=subprocess.DEVNULL,
        env={**os.environ, **VARIABLES},
        preexec_fn=die_with_parent,
    )
    asked = 0.0
    while process.poll() is None:
        if (stop.requested or refused.exists()) and not asked:
            asked = time.monotonic()
            process.terminate()
        elif asked and time.monotonic() - asked > STOP_SECONDS:
            process.kill()
        time.sleep(POLL_SECONDS)
    if stop.requested:
        raise Stopped
    if refused.exists():
        sentence = refused.read_text(encoding="utf-8")
        refused.unlink()
        # Again as the last line: torchrun's own report came after theirs.
        print("ERROR: " + " ".join(sentence.split()), file=sys.stderr, flush=True)
        return 2
    if process.returncode:
        how = f"{processes} processes were started {1 + RESTARTS} times and did not come through"
        print(f"ERROR: The training failed: {how}; see training.log.", file=sys.stderr, flush=True)
        return 1
    return 0


def _command(processes: int, options: argparse.Namespace) -> list[str]:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words += [f"--nproc-per-node={processes}", f"--max-restarts={RESTARTS}"]
    words += ["--module", "chronos_training.models.train"]
    for name in ("spec", "data", "output", "base_model"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words

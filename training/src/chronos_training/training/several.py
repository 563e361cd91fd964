"""One training in several processes: torchrun starts them, and starts them all again from the checkpoint when one is lost.

On several instances each has such a program, and their torchruns meet at the head node's. torchrun gives the ranks in
the order of addresses, so that rank 0 may be anywhere; the process that writes is the head node's first one.

This process only watches: it passes a stop on, and ends the others when one of them has found what no new start mends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from chronos_training.core.child_process import die_with_parent
from chronos_training.core.errors import TrainingError
from chronos_training.core.rendezvous import ALONE, Rendezvous
from chronos_training.training.stopping import Stopped, StopRequest

RESTARTS = 3
POLL_SECONDS = 0.2
# Longer than one step and its checkpoint take; torchrun itself kills what is left 30 s after its own SIGTERM.
STOP_SECONDS = 55.0
# One store for all starts would give the second one the addresses of the first, where nobody listens any more.
VARIABLES = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
LEADS = "CHRONOS_LEADS"  # 0 in the processes of an instance that is not the head node
# How long torchrun waits for the others: at the start they install environment and data at their own pace; later
# none of them comes back, and the pipeline, which asks EC2, says so sooner.
JOIN_SECONDS = 900
CONNECT_SECONDS = 120
REFUSED = "refused.tmp"  # the sentence of a process that cannot continue; the ending says that it is no result


def rank() -> int:
    """Return the number of this process among all; torchrun tells."""
    return int(os.environ.get("RANK", "0"))


def is_first_here() -> bool:
    """Return whether this process is the first of its instance, which keeps a copy of the checkpoints."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def is_first() -> bool:
    """Return whether this process is the one of all that evaluates, reports and writes the results."""
    return is_first_here() and os.environ.get(LEADS, "1") == "1"


def is_one_of_several() -> bool:
    """Return whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def cannot_start_anew(phase: str) -> bool:
    """Return whether the other instances may be gone in this phase: then torchrun would wait for them in vain."""
    return LEADS in os.environ and phase in ALONE


def note_refusal(output: Path, sentence: str) -> None:
    """Tell the process that watches why continuing makes no sense."""
    if is_one_of_several():
        (output / REFUSED).write_text(sentence, encoding="utf-8")


def run(
    processes: int,
    options: argparse.Namespace,
    stop: StopRequest,
    meeting: Rendezvous | None = None,
    instances: int = 1,
) -> int:
    """Run the training in `processes` processes on this machine; return the exit code for all of them.

    With `meeting` they are some of those on `instances` instances. Raises Stopped after SIGTERM.
    """
    refused = options.output / REFUSED
    refused.unlink(missing_ok=True)
    # torchrun puts each process into a session of its own, where no signal to our group arrives: they end with their parent.
    process = subprocess.Popen(
        _command(processes, options, meeting, instances),
        stdin=subprocess.DEVNULL,
        env={**os.environ, **VARIABLES, **_network(meeting)},
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
        many = f"{processes} processes" + (f" on each of {instances} instances" if meeting else "")
        how = f"{many} were started up to {1 + RESTARTS} times and failed each time"
        print(f"ERROR: The training failed: {how}; see training.log.", file=sys.stderr, flush=True)
        return 1
    return 0


def _network(meeting: Rendezvous | None) -> dict[str, str]:
    """Return the variables that tie gloo and NCCL to the interface of this instance's address.

    By themselves they take the one that the host's name leads to, on Ubuntu the loopback.
    """
    if meeting is None:
        return {}
    import psutil

    names = [name for name, ips in psutil.net_if_addrs().items() if any(ip.address == meeting.address for ip in ips)]
    if not names:
        raise TrainingError(f"No network interface of this machine has the address {meeting.address}.")
    return {"GLOO_SOCKET_IFNAME": names[0], "NCCL_SOCKET_IFNAME": names[0], LEADS: str(int(meeting.leads))}


def _meet(meeting: Rendezvous | None, instances: int) -> list[str]:
    if meeting is None:
        return ["--standalone"]
    return [
        f"--nnodes={instances}",
        "--rdzv-backend=c10d",
        "--rdzv-id=chronos-training",
        f"--rdzv-endpoint={meeting.endpoint}",
        f"--rdzv-conf=is_host={int(meeting.leads)},join_timeout={JOIN_SECONDS},read_timeout={CONNECT_SECONDS}",
        f"--local-addr={meeting.address}",
    ]


def _command(processes: int, options: argparse.Namespace, meeting: Rendezvous | None, instances: int) -> list[str]:
    words = [sys.executable, "-m", "torch.distributed.run", *_meet(meeting, instances)]
    words += [f"--nproc-per-node={processes}", f"--max-restarts={RESTARTS}"]
    words += ["--module", "chronos_training.training.train"]
    for name in ("spec", "data", "output", "base_model"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words

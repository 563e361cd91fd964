"""What a probe found, for people; and how long EC2 took to end its instance, which only somebody outside of it can see."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.aws_types import EC2Client, S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.instances import find_instances
from chronos_training.core.objects import read_json

Json = dict[str, Any]
Emit = Callable[[str], None]
FACTS, TERMINATION = "probe.json", "termination.json"
POLL_SECONDS = 2.0
TOLD_SECONDS = 60.0
LABEL, WIDTH = 14, 96
GB = 1e9


def show(
    s3: S3Client, ec2: EC2Client, bucket: str, project: str, env: str, run_id: str, wait_seconds: float, emit: Emit
) -> Json:
    """Wait for the probe's instance to be terminated, store how long that took, and say what the probe found.

    Returns facts, missing and seconds_to_terminated. TrainingError when the run left no facts, or when its instance still
    lives after `wait_seconds`.
    """
    prefix = layout.run_prefix(env, run_id)
    found = read_json(s3, bucket, prefix + FACTS)
    if found is None:
        raise TrainingError(
            f"Run {run_id} left no facts: s3://{bucket}/{prefix}{FACTS} does not exist.",
            hint=f"To see what happened to it: {playbook(env, 'monitor_training', training_monitor_run_id=run_id)}",
        )
    for line in lines(found):
        emit(line)
    seconds = wait_until_terminated(ec2, project, env, run_id, wait_seconds, emit)
    ended = {"schema_version": 1, "run_id": run_id, "seconds_to_terminated": seconds}
    with aws.explained(f"store s3://{bucket}/{prefix}{TERMINATION}"):
        body = (json.dumps(ended, indent=2) + "\n").encode()
        s3.put_object(Bucket=bucket, Key=prefix + TERMINATION, Body=body, ContentType="application/json")
    emit(f"{'terminated':<{LABEL}}{seconds:.0f} s after the run's end, measured from this machine")
    emit(f"{'stored':<{LABEL}}s3://{bucket}/{prefix}{FACTS}")
    return {"facts": found["facts"], "missing": found["missing"], "seconds_to_terminated": seconds}


def wait_until_terminated(
    ec2: EC2Client,
    project: str,
    env: str,
    run_id: str,
    wait_seconds: float,
    emit: Emit,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Return the seconds until EC2 says `terminated` for every instance of the run. TrainingError after `wait_seconds`."""
    began, told = time.monotonic(), 0.0
    while True:
        known = find_instances(ec2, project, env, run_id, live=False)
        going = [f"{one.instance_id} ({one.state})" for one in known if one.state != "terminated"]
        waited = time.monotonic() - began
        if not going:
            return round(waited, 1)
        if waited > wait_seconds:
            raise TrainingError(
                f"Not terminated {waited:.0f} s after the run's end: {', '.join(going)}.",
                hint=f"To follow it: {playbook(env, 'verify_cleanup')}",
                code="not_terminated",
            )
        if waited - told >= TOLD_SECONDS or not told:
            emit(f"waiting up to {wait_seconds / 60:.0f} min for EC2 to end {', '.join(going)}: {waited:.0f} s so far")
            told = max(waited, 0.1)
        sleep(POLL_SECONDS)


def lines(found: Json) -> list[str]:
    """Return the facts as a short table; what is missing stands last, with its reason."""
    shown: list[str] = []
    for label, text in (*_rows(found["facts"]), *(("missing", f"{k}: {why}") for k, why in found["missing"].items())):
        if text:
            shown += textwrap.wrap(
                text, WIDTH, initial_indent=f"{label:<{LABEL}}", subsequent_indent=" " * LABEL, break_on_hyphens=False
            )
    return shown


def _rows(facts: Json) -> Iterator[tuple[str, str]]:
    yield "system", _joined(facts.get("system"), _with("kernel", facts.get("kernel")), facts.get("systemd"))
    yield "python", ", ".join(f"{version} ({where})" for where, version in facts.get("python", {}).items())
    yield "cloud-init", str(facts.get("cloud_init", ""))
    yield "boot", " ".join(str(facts.get("boot_times", "")).split("\n")[:1])
    memory = facts.get("memory_bytes", {}).get("MemTotal")
    yield "machine", _joined(_with(facts.get("cpus"), "CPUs"), f"{memory / GB:.1f} GB of memory" if memory else None)
    for mount in facts.get("mounts", []):
        device, place, kind = mount.split()[:3]
        yield "mount", f"{place}: {kind} on {device}"
    nvme = facts.get("dlami_nvme")
    if nvme:
        yield "dlami-nvme", _joined(nvme.get("LoadState"), nvme.get("ActiveState"), nvme.get("SubState"))
    yield "zstd", str(facts.get("zstd", "")).strip("* ")
    yield "file systems", "; ".join(f"{name} {state}" for name, state in facts.get("file_systems", {}).items())
    if "gpu" in facts:
        yield "nvidia-smi", f"first answer after {facts['gpu']['first_seconds']:.1f} s"
    yield from _torch(facts.get("torch") or {})


def _torch(torch: Json) -> Iterator[tuple[str, str]]:
    if not torch:
        return
    card = torch.get("card")
    capability = ".".join(map(str, torch.get("capability") or []))
    yield (
        "torch",
        _joined(
            torch.get("torch"),
            f"{card}, capability {capability}" if card else "no card",
            " ".join(torch["architectures"]),
        ),
    )
    for family, step in torch.get("steps", {}).items():
        said = step.get("error") or f"loss {step['loss']} in {step['seconds']} s"
        yield f"{torch['step_precision']} step", f"{family}: {said}"


def _joined(*parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)


def _with(*words: Any) -> str | None:
    return " ".join(map(str, words)) if all(words) else None

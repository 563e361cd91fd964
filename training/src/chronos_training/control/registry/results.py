"""Brings a run's results to the person's machine, each file checked against the hashes in `training.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chronos_training.ansible import changes
from chronos_training.control.registry.runs import checked_run_id, run_cost
from chronos_training.control.registry.summary import NAME as METADATA
from chronos_training.control.registry.summary import RunSummary
from chronos_training.core import aws, layout, typed_json
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.cost import REFERENCE_TYPE
from chronos_training.core.errors import DataError, TrainingError
from chronos_training.core.hashing import sha256_file
from chronos_training.core.objects import read_json
from chronos_training.core.run_spec import NAME, read_file


def fetch_run(
    s3: S3Client, bucket: str, env: str, run_id: str, target: Path, *, logs: bool, emit: Callable[[str], None]
) -> list[str]:
    """Download the run's artifacts, records and logs into `target`; return the paths that were new or changed.

    Raises TrainingError when there is no such run, DataError when a file is missing or not what the run stored.
    """
    prefix = layout.run_prefix(env, checked_run_id(env, run_id))
    wanted = _objects(s3, bucket, prefix)
    if not wanted:
        raise TrainingError(
            f"There is no run {run_id} in s3://{bucket}/{prefix}.",
            hint=f"The runs of {env}: {playbook(env, 'list_runs')}",
            code="run_not_found",
        )
    jobs = [(key, target / key[len(prefix) :]) for key in wanted]
    if logs:
        log_prefix = layout.logs_prefix(env, run_id)
        jobs += [(key, target / "logs" / key[len(log_prefix) :]) for key in _objects(s3, bucket, log_prefix)]
    hashes = _expected(s3, bucket, prefix)
    missing = sorted(hashes.keys() - set(wanted))
    if missing:
        raise DataError(
            f"Run {run_id} is no longer complete: it stored {len(hashes)} artifacts, and {len(missing)} of them "
            f"{'is' if len(missing) == 1 else 'are'} gone, s3://{bucket}/{missing[0]} for example.",
            hint="The person who deleted it may have a copy. Nothing was fetched.",
        )
    with ThreadPoolExecutor(8) as pool:
        fetched = list(pool.map(lambda job: _fetch(s3, bucket, job[0], job[1], hashes.get(job[0])), jobs))
    new = [str(path) for path in fetched if path is not None]
    others = f"{len(jobs) - len(hashes)} records and logs"  # they are written until the very end, and have no hash
    kinds = f"{len(hashes)} results verified by sha256, {others}" if hashes else others
    emit(f"{len(jobs)} files in {target}, {len(new)} of them new: {kinds}")
    return new


def _objects(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    with aws.explained(f"list s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def _expected(s3: S3Client, bucket: str, prefix: str) -> dict[str, str]:
    training = read_json(s3, bucket, prefix + "training.json")
    if training is None:
        return {}  # a run that was lost before it could write one
    return {prefix + artifact["path"]: artifact["sha256"] for artifact in training["artifacts"]}


def _fetch(s3: S3Client, bucket: str, key: str, path: Path, sha256: str | None) -> Path | None:
    if sha256 is not None and path.exists() and sha256_file(path) == sha256:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with aws.explained(f"fetch s3://{bucket}/{key}"):
        s3.download_file(bucket, key, str(partial))
    if sha256 is not None and (found := sha256_file(partial)) != sha256:
        partial.unlink()
        raise DataError(f"s3://{bucket}/{key} is corrupt: its sha256 is {found}, the run stored {sha256}.")
    before = path.read_bytes() if sha256 is None and path.exists() else None
    partial.rename(path)
    changes.note(f"fetched {path}")
    return None if before is not None and before == path.read_bytes() else path


def summary_lines(folder: Path) -> list[str]:
    """Return what a person wants to know of a fetched run: scores, where things are, what it cost."""
    state, summary = _json(folder / "system-state.json"), typed_json.read(RunSummary, _json(folder / METADATA))
    spec = read_file(folder / NAME) if (folder / NAME).exists() else None
    lines = []
    if metrics := summary.metrics:
        naive = metrics["seasonal_naive"]
        scores = [
            f"{key.upper()} {_score(metrics[key], digits)} ({'seasonal naive ' if key == 'wql' else ''}{_score(naive[key], digits)})"
            for key, digits in (("wql", 4), ("mase", 3), ("mae", 2))
        ]
        lines.append(f"scores  {', '.join(scores)}")
    # Older runs have no word about evidence and intervals.
    for name, key in (
        ("verdict", "verdict"),
        ("basis", "evidence"),
        ("covers", "interval_coverage"),
        ("advice", "publish"),
    ):
        if sentence := summary.sentence(key):
            lines.append(f"{name:<8}{sentence}")
    for name, path in (("report", folder / "report.html"), ("model", folder / "models"), ("logs", folder / "logs")):
        if path.exists():
            lines.append(f"{name:<7} {path}")
    cost, reference = run_cost(state, spec)
    if reference is not None:
        known = "unknown" if cost is None else f"${cost:.2f}"
        lines.append(f"cost    {known}; the same time on {REFERENCE_TYPE} would have cost ${reference:.2f}")
    return lines


def _score(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content

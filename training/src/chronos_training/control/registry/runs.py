"""Past runs, found by prefix and without a registry (R27), and their archives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from chronos_training.control.registry.summary import RunSummary, read_summary
from chronos_training.control.text_table import aligned
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.clock import duration, parse_iso
from chronos_training.core.commands import playbook
from chronos_training.core.cost import reference_cost
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.objects import age_seconds, read_bytes, read_json
from chronos_training.core.run_cost import cost_of_run
from chronos_training.core.run_spec import InstanceSpec, RunSpec, key_of
from chronos_training.core.states import COMPLETED


@dataclass(frozen=True)
class PastRun:
    """One run as its prefix shows it. Metrics are None when the run did not get that far."""

    run_id: str
    status: str
    model: str
    dataset: str
    started_at: str
    length: str
    wql: float | None
    relative_wql: float | None
    cost_usd: float | None
    recommended: bool  # its comparison allows it (evaluation.publish_if)
    latest: bool  # the newest recommended one of its name
    series: int | None = None  # over which relative_wql is the mean
    verdict: str | None = None  # against seasonal naive


def checked_run_id(env: str, run_id: str) -> str:
    """Return `run_id` if it is one; `env` is for what the error advises. ConfigurationError when it is not."""
    if not layout.RUN_ID.match(run_id):
        raise ConfigurationError(
            f"{run_id!r} is not a run id (YYYYMMDD-HHMMSS).", hint=f"The runs of {env}: {playbook(env, 'list_runs')}"
        )
    return run_id


def run_ids(s3: S3Client, bucket: str, env: str, limit: int = 1000) -> list[str]:
    """Return the ids of the newest `limit` runs, newest first. One request for each year and month with runs."""
    found: list[str] = []
    for year in reversed(_folders(s3, bucket, layout.runs_prefix(env))):
        for month in reversed(_folders(s3, bucket, year)):
            for folder in reversed(_folders(s3, bucket, month)):
                run_id = layout.run_id_of(env, folder)
                if run_id:
                    found.append(run_id)
                if len(found) >= limit:
                    return found
    return found


def _folders(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    with aws.explained(f"list s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        return sorted(p["Prefix"] for page in pages for p in page.get("CommonPrefixes", []))


def archived_state(s3: S3Client, bucket: str, env: str, run_id: str) -> dict[str, Any] | None:
    """Return the archived state of the run, or None when there is none."""
    return read_json(s3, bucket, layout.run_prefix(env, run_id) + "system-state.json")


def stored_run_spec(s3: S3Client, bucket: str, env: str, run_id: str) -> RunSpec | None:
    """Return what the run was launched with, None when nothing is stored. TrainingError when that is no run spec."""
    key = key_of(env, run_id)
    body = read_bytes(s3, bucket, key)
    return None if body is None else RunSpec.from_json(body, f"s3://{bucket}/{key}")


def newest_ended_age(s3: S3Client, bucket: str, env: str) -> float | None:
    """Return the seconds since the newest run was archived, by S3's clock; None when it has no archive."""
    newest = run_ids(s3, bucket, env, limit=1)
    if not newest:
        return None
    return age_seconds(s3, bucket, layout.run_prefix(env, newest[0]) + "system-state.json")


def list_runs(s3: S3Client, bucket: str, env: str, limit: int, active: dict[str, Any] | None) -> list[PastRun]:
    """Return the newest runs. `active` is the state of the run that is under way, if any."""
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda run_id: read_run(s3, bucket, env, run_id, active), run_ids(s3, bucket, env, limit)))
    newest = {run.model: run.run_id for run in reversed(runs) if run.recommended}
    return [replace(run, latest=newest.get(run.model) == run.run_id) for run in runs]


def latest_run(s3: S3Client, bucket: str, env: str, name: str) -> str | None:
    """Return the id of the newest completed run whose model `name` is recommended, None when there is none.

    It is found by prefix, as everything of past runs: there is no pointer that a crash could leave behind.
    """
    for run_id in run_ids(s3, bucket, env):
        summary = read_summary(s3, bucket, env, run_id)
        if summary is None or summary.name != name or not summary.recommended:
            continue
        if read_bytes(s3, bucket, layout.run_prefix(env, run_id) + "_SUCCESS") is not None:
            return run_id
    return None


def read_run(s3: S3Client, bucket: str, env: str, run_id: str, active: dict[str, Any] | None) -> PastRun:
    """Return the run as its prefix, or `active` (the state of the run that is under way), shows it."""
    if active is not None and active["run_id"] == run_id:
        state: dict[str, Any] = active
    else:
        state = archived_state(s3, bucket, env, run_id) or {}
    spec = stored_run_spec(s3, bucket, env, run_id)
    summary = read_summary(s3, bucket, env, run_id) or RunSummary()
    training = spec.training if spec else {}
    return PastRun(
        run_id=run_id,
        status=state.get("status", "unknown"),
        model=training.get("name", "?"),
        dataset=training.get("dataset", {}).get("name", "?"),
        started_at=state.get("created_at", spec.created_at if spec else ""),
        length=_length(state),
        wql=summary.metric("wql"),
        relative_wql=summary.metric("relative_wql"),
        cost_usd=run_cost(state, spec)[0],
        recommended=state.get("status") == COMPLETED and summary.recommended,
        latest=False,
        series=summary.metrics.get("relative_wql_series"),
        verdict=summary.result("verdict"),
    )


def run_seconds(state: dict[str, Any]) -> float | None:
    """Return the seconds from the launch to the last heartbeat, or None when the state does not tell."""
    try:
        return (parse_iso(state["heartbeat_at"]) - parse_iso(state["created_at"])).total_seconds()
    except (KeyError, ValueError):
        return None


def run_cost(state: dict[str, Any], spec: RunSpec | None) -> tuple[float | None, float | None]:
    """Return what the run cost and what the same time costs on the reference type, in US dollars; None if unknown."""
    seconds = run_seconds(state)
    if seconds is None:
        return None, None
    return cost_of_run(state, spec.instance if spec else InstanceSpec(), seconds), reference_cost(seconds)


def _length(state: dict[str, Any]) -> str:
    seconds = run_seconds(state)
    return "?" if seconds is None else duration(seconds)


def table(runs: list[PastRun]) -> list[str]:
    """Return the runs as lines of a table, and what they cost together; behind a run, of which name it has the latest model."""
    header = ("run", "status", "dataset", "took", "WQL", "vs naive (n)", "cost")
    rows = [header, *[_row(run) for run in runs]]
    lines = aligned(rows, right={4, 5, 6})  # the numbers
    lines[1:] = [
        f"{line}{f'  latest {run.model}' if run.latest else ''}" for line, run in zip(lines[1:], runs, strict=True)
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:], "", _total(runs)]


def _row(run: PastRun) -> tuple[str, ...]:
    return (
        run.run_id,
        run.status,
        run.dataset,
        run.length,
        "-" if run.wql is None else f"{run.wql:.4f}",
        _relative(run),
        "-" if run.cost_usd is None else f"${run.cost_usd:.2f}",
    )


def _relative(run: PastRun) -> str:
    """Return WQL against seasonal naive's, and over how many series that is the mean."""
    if run.relative_wql is None:
        return "-"
    return f"{run.relative_wql:.3f}{'' if run.series is None else f' ({run.series})'}"


def _total(runs: list[PastRun]) -> str:
    known = [run.cost_usd for run in runs if run.cost_usd is not None]
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    unknown = f", without {len(runs) - len(known)} of unknown cost" if len(known) < len(runs) else ""
    return f"{count}, ${sum(known):.2f} together{unknown}"

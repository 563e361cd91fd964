"""Runs side by side: what differs in what they were launched with, and how they scored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from chronos_training.control.registry.runs import PastRun, checked_run_id, read_run, stored_run_spec
from chronos_training.control.registry.summary import RunSummary, read_summary
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.run_spec import RunSpec, key_of

# The most that fit side by side on a terminal.
MOST = 4
LONGEST_VALUE = 28
SHORT_DIGEST = 12
METRICS = (
    "wql",
    "relative_wql",
    "relative_wql_series",
    "mase",
    "relative_mase",
    "relative_mase_series",
    "mae",
    "rmse",
    "smape",
    "sharpe_ratio",
)


@dataclass(frozen=True)
class Comparison:
    """Rows by name, each with a value for every run, in the order of `runs`; None where a run has none.

    `configuration` has the rows that differ. `change` of a row of metrics is that of the second run against the first.
    """

    runs: tuple[PastRun, ...]
    configuration: dict[str, list[Any]]
    metrics: dict[str, list[float | None]]
    verdicts: dict[str, list[str | None]] = field(default_factory=dict)  # in words: the comparison, the intervals

    def lines(self) -> list[str]:
        """Return the comparison for people."""
        costs = ["-" if run.cost_usd is None else f"${run.cost_usd:.2f}" for run in self.runs]
        head = [["", *[run.run_id for run in self.runs]], ["status", *[run.status for run in self.runs]]]
        head += [["took", *[run.length for run in self.runs]], ["cost", *costs]]
        config = [[name, *[_text(value) for value in values]] for name, values in self.configuration.items()]
        scores = [[name, *[_score(value) for value in values]] for name, values in self.metrics.items()]
        if len(self.runs) == 2:
            for row, values in zip(scores, self.metrics.values(), strict=True):
                row.append("" if isinstance(values[0], int) else _change(*values))
        scores += [[name, *[value or "-" for value in values]] for name, values in self.verdicts.items()]
        rows = [
            *head,
            ["scores"],
            *scores,
            ["differs" if config else "the runs were launched with the same settings"],
            *config,
        ]
        widths = [max(len(row[i]) for row in rows if i < len(row) and len(row) > 1) for i in range(len(self.runs) + 1)]
        return [_line(row, widths) for row in rows]


def compare(s3: S3Client, bucket: str, env: str, run_ids: list[str], active: dict[str, Any] | None) -> Comparison:
    """Return the runs side by side. ConfigurationError when they cannot be compared, or one of them does not exist."""
    if not 2 <= len(run_ids) <= MOST or len(set(run_ids)) < len(run_ids):
        raise ConfigurationError(
            f"Compare two to {MOST} different runs, not {', '.join(run_ids) or 'none'}.",
            hint="Separate them with commas: training_runs_compare=20260101-120000,20260102-120000.",
        )
    names = [checked_run_id(env, run_id) for run_id in run_ids]
    with ThreadPoolExecutor(MOST) as pool:
        runs = list(pool.map(lambda name: read_run(s3, bucket, env, name, active), names))
        specs = list(pool.map(lambda name: stored_run_spec(s3, bucket, env, name), names))
        about = list(pool.map(lambda name: read_summary(s3, bucket, env, name) or RunSummary(), names))
    missing = [name for name, spec in zip(names, specs, strict=True) if spec is None]
    if missing:
        raise ConfigurationError(
            f"There is no run {missing[0]} in {env}: s3://{bucket}/{key_of(env, missing[0])} does not exist.",
            hint=f"The runs of {env}: {playbook(env, 'list_runs')}",
            code="run_not_found",
        )
    launched = [_launched_with(spec) for spec in specs if spec is not None]
    rows = {key: [one.get(key) for one in launched] for key in dict.fromkeys(key for one in launched for key in one)}
    differing = {key: values for key, values in rows.items() if any(value != values[0] for value in values)}
    metrics = _known({key: [one.metric(key) for one in about] for key in METRICS})
    results = {
        name: [one.result(key) for one in about]
        for name, key in (("against naive", "verdict"), ("intervals", "interval_coverage"))
    }
    return Comparison(tuple(runs), differing, metrics, _known(results))


def _known(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {key: values for key, values in rows.items() if any(value is not None for value in values)}


def _launched_with(spec: RunSpec) -> dict[str, Any]:
    """Return a run spec flat: the configuration by its keys, then what else decides how a run goes."""
    return {
        **_flat(spec.training),
        "data": _short(spec.dataset.digest if spec.dataset else None),
        "base model": _short(spec.base_digest or None),
        "resumes": spec.resume.run_id if spec.resume else None,
        "environment": _short(spec.runtime.python_env_sha256),
        "program": _short(spec.runtime.package_sha256),
        "commit": spec.git_commit or None,
        "device": spec.device,
        "instance": ", ".join(spec.instance.types),
        "machine image": spec.instance.image.name or None,
        "volume, GB": spec.instance.volume_gb or None,
    }


def _flat(content: dict[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in content.items():
        out |= _flat(value, f"{at}{key}.") if isinstance(value, dict) and value else {f"{at}{key}": value}
    return out


def _short(digest: str | None) -> str | None:
    return None if digest is None else digest[:SHORT_DIGEST]


def _text(value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _change(first: float | None, second: float | None) -> str:
    if not first or second is None:
        return ""
    return f"{100 * (second - first) / abs(first):+.1f} %"


def _line(row: list[str], widths: list[int]) -> str:
    if len(row) == 1:
        return row[0]
    name, *values = row
    cells = [f"{'  ' if name else ''}{name}".ljust(widths[0] + 2)]
    cells += [value.ljust(width) for value, width in zip(values, widths[1:], strict=False)]
    return "  ".join([*cells, *values[len(widths) - 1 :]]).rstrip()

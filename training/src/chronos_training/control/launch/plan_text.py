"""The launch plan in words: what will run, where, for how long, and what it may cost at most."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from chronos_training.base_models import is_builtin
from chronos_training.config import Difference, automatic_line
from chronos_training.control.launch.limits import GUARD_MINUTES, worst_seconds
from chronos_training.control.launch.plan import Plan
from chronos_training.core.clock import duration, utc_now
from chronos_training.core.cost import GIVEN, HourlyPrice, price_table, table_doubts
from chronos_training.core.run_spec import BaseModelSpec, DatasetSpec, ResumeSpec, SeasonSpec

Json = dict[str, Any]
LABEL = 13
# Eighty columns, minus the two by which Ansible indents its output.
WIDTH = 78
LONGEST_DEFAULT = 14
ADOPTED = "the base model"
REFRESH = ".venv/bin/python -m chronos_training.cli.refresh_prices"


def lines(plan: Plan) -> list[str]:
    """Return the plan as the user reads it, one label for each topic."""
    spec, config = plan.run_spec, plan.config
    if spec.probe:
        return _probe_lines(plan)
    return [
        *_row("run", f"{plan.run_id} in {plan.request.env}, {plan.settings.region}"),
        *_row("bucket", plan.settings.bucket),
        *_row("model", f"{config.name}: {config.model.family} on {spec.device}"),
        *_precision(plan),
        *_starts_from(spec.base_model),
        *_resumes_from(spec.resume),
        *_settings(plan),
        *_automatic(plan),
        *_dataset(spec.data),
        *_season(spec.data.season),
        *_environment(spec.environment),
        *_instances(plan),
        *_time(plan),
        *_limit(plan),
        *_cost(plan),
        *_doubts(plan),
    ]


def _probe_lines(plan: Plan) -> list[str]:
    """Return the plan of a probe: where it runs, on what, and what it may cost at most."""
    environment, worst = plan.run_spec.runtime.python_env, plan.price.cost(worst_seconds(plan.deadline_seconds))
    return [
        *_row("probe", f"{plan.run_id} in {plan.request.env}, {plan.settings.region}"),
        *_row("bucket", plan.settings.bucket),
        *(
            _environment(environment)
            if environment
            else _row("environment", "none is published, so torch is not probed")
        ),
        *_instances(plan),
        *_limit(plan),
        *_row("cost", f"at worst: {_money(worst)}, if the last guard has to end it; a probe takes minutes"),
        *_doubts(plan),
    ]


def _row(label: str, *texts: str) -> list[str]:
    """Return `label` with its texts beside it, wrapped to the width of the terminal; an indented text stays in one line."""
    lines = []
    for text in texts:
        whole = text.startswith("  ")  # a command gets copied, a setting is already cut to fit
        lines += [text] if whole else textwrap.wrap(text, WIDTH - LABEL, break_long_words=False, break_on_hyphens=False)
    return [f"{label if number == 0 else '':<{LABEL}}{line}" for number, line in enumerate(lines)]


def _precision(plan: Plan) -> list[str]:
    """Return the precision that each type computes in, and why. AutoGluon decides that by itself."""
    if plan.config.model.family == "autogluon":
        return []
    return _row("precision", *(one.sentence for one in plan.precisions))


def _starts_from(base: BaseModelSpec | None) -> list[str]:
    if base is None:
        return []
    if is_builtin(base.name):
        return _row("starts from", f"{base.name}, which comes with this package: sha256 {base.digest[:12]}")
    size = _size(sum(file.size for file in base.files))
    if base.run_id:
        return _row("starts from", f"the model of run {base.run_id}: {base.family}, {size}")
    return _row("starts from", f"{base.name}: {base.family}, {size}, sha256 {base.digest[:12]}")


def _resumes_from(resume: ResumeSpec | None) -> list[str]:
    if resume is None:
        return []
    size = _size(sum(file.size for file in resume.files))
    return _row("resumes from", f"step {resume.step:,} of run {resume.run_id}, {size}")


def _settings(plan: Plan) -> list[str]:
    """Return what differs from the defaults, below the source that set it."""
    by_data = plan.config.automatic
    if all(one.key in by_data for one in plan.differences):
        return _row("settings", "all defaults")
    longest = max(len(one.key) for one in plan.differences)
    width = WIDTH - LABEL - longest - 4
    texts = []
    for source in (*plan.run_spec.config_sources, ADOPTED):
        ours = [
            one for one in plan.differences if plan.origins.get(one.key, ADOPTED) == source and one.key not in by_data
        ]
        if ours:
            texts += [source, *(f"  {one.key:<{longest}}  {_change(one, width)}" for one in ours)]
    return _row("settings", *texts)


def _automatic(plan: Plan) -> list[str]:
    """Return the automatic settings, each with its reason."""
    return _row("automatic", *(automatic_line(plan.config, *one) for one in plan.config.automatic.items()))


def _change(one: Difference, width: int) -> str:
    before = _cut(_value(one.default), LONGEST_DEFAULT)
    return f"{before} -> {_cut(_value(one.value), width - len(before) - len(' -> '))}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _dataset(dataset: DatasetSpec) -> list[str]:
    return _row(
        "dataset",
        f"{dataset.name}, sha256 {dataset.digest[:12]}: {dataset.items} series, {dataset.rows:,} rows, "
        f"{_size(dataset.bytes)}",
    )


def _season(season: SeasonSpec | None) -> list[str]:
    return [] if season is None else _row("season", f"{season.length:,}: {season.reason}")


def _environment(environment: Json) -> list[str]:
    return _row(
        "environment",
        f"torch {environment['torch']}, Python {environment['python']}, sha256 {environment['sha256'][:12]}: "
        f"{_size(environment['size'])}",
    )


def _instances(plan: Plan) -> list[str]:
    """Return the types in the order in which they are tried, with their prices, and the zones that each is tried in."""
    count = plan.run_spec.instance.count
    many = f"{count} x " if count > 1 else ""
    types = [f"{many}{name}" for name in plan.request.instance_types]
    longest = max(map(len, types))
    numbers = [""] if len(types) == 1 else [f"{n}. " for n in range(1, len(types) + 1)]
    texts = [
        f"{number}{name:<{longest}}  {_price(plan.prices[kind])}"
        for number, name, kind in zip(numbers, types, plan.request.instance_types, strict=True)
    ]
    each = "each in " if len(types) > 1 else "in "
    zones = each + ", then ".join(dict.fromkeys(plan.zones.values()))
    rows = _row("instances" if count > 1 else "instance", *texts, zones)
    source = "" if plan.price.date == GIVEN else f"; table of {plan.price.date}"
    rows += _row("image", f"{plan.image.name}, {plan.image.image_id}, {plan.image.root_gb} GB")
    return rows + _row("prices", f"each with {plan.request.volume_gb} GB gp3 and a public address{source}")


def _price(price: HourlyPrice) -> str:
    if price.total is None:
        return "price not known (set training_launch_price_per_hour)"
    return f"${price.total:.3f} an hour" + (f", {GIVEN}" if price.date == GIVEN else "")


def _time(plan: Plan) -> list[str]:
    found, seeds = plan.duration_estimate, plan.config.evaluation.seeds
    several = [f"with {seeds} trainings, one for each seed (evaluation.seeds)"] if seeds > 1 else []
    if found is None:
        if plan.run_spec.resume:
            return _row("time", "not known: it resumes from a checkpoint", *several)
        name, kind = plan.config.name, plan.request.instance_types[0]
        return _row("time", f"not known: no run of {name} with these settings has completed on {kind} yet", *several)
    runs = "the last similar run" if found.runs == 1 else f"the median of the last {found.runs} similar runs"
    phases = ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.phases.items())
    return _row("time", f"about {duration(found.total)}, {runs}", *several, phases)


def _limit(plan: Plan) -> list[str]:
    limit = f"{duration(plan.deadline_seconds)} from boot"
    limits = plan.run_spec.limits
    cap = limits.max_cost_usd
    if cap is not None:
        why = "set by run.max_cost" if limits.capped else f"run.max_cost {_money(cap)} would pay for more"
        limit += f" ({why})"
    return _row("limit", f"{limit}; the last guard ends it {GUARD_MINUTES} minutes later")


def _cost(plan: Plan) -> list[str]:
    worst = plan.price.cost(worst_seconds(plan.deadline_seconds))
    first = plan.prices[plan.request.instance_types[0]]
    expected = None if plan.duration_estimate is None else first.cost(plan.duration_estimate.total)
    return _row("cost", f"expected: {_money(expected)}", f"at worst: {_money(worst)}, if the last guard has to end it")


def _doubts(plan: Plan) -> list[str]:
    """Return the warnings: a limit that may be too short, prices that may be wrong, settings that are probably a mistake."""
    lines = [line for one in plan.precisions if one.warning for line in _row("warning", one.warning)]
    lines += [line for one in plan.remarks for line in _row("warning", one)]
    if plan.duration_estimate is not None and plan.duration_estimate.total > plan.deadline_seconds:
        lines += _row("warning", "Similar runs took longer than this limit: the run would be ended before it is done.")
    if plan.price.date == GIVEN:
        return lines  # the price does not come from the table
    table = price_table()
    doubts = table_doubts(plan.settings.region, utc_now().date(), table)
    if doubts:
        region = "" if table["region"] == plan.settings.region else f" --region {plan.settings.region}"
        lines += _row("warning", " ".join(doubts) + " To refresh the prices:", f"  {REFRESH}{region}")
    return lines


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _money(dollars: float | None) -> str:
    if dollars is None:
        return "not known"
    return f"${dollars:.2f}" if dollars == 0 or dollars >= 0.005 else "less than $0.01"

"""The model card: README.md beside the weights, so that a model that was moved still says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PIPELINES = {"chronos2": "Chronos2Pipeline", "chronos_bolt": "ChronosBoltPipeline", "chronos_t5": "ChronosPipeline"}


def write_card(path: Path, about: dict[str, Any]) -> None:
    """Write the card of a model from its metadata."""
    path.write_text(card(about), encoding="utf-8")


def card(about: dict[str, Any]) -> str:
    """Return the card as Markdown, with the front matter that model hubs read."""
    model, data, metrics = about["model"], about["dataset"], about["metrics"]
    config, validation = about["configuration"], about["validation"]
    library = "autogluon" if model["autogluon"] else "chronos-forecasting"
    rows = [
        f"| {name} | {_number(values['wql'])} | {_number(values['mase'])} | {_number(values['mae'])} |"
        for name, values in {"this model": metrics, **_others(metrics)}.items()
    ]
    return "\n".join(
        [
            "---",
            f"library_name: {library}",
            "pipeline_tag: time-series-forecasting",
            "---",
            f"# {about['name']}",
            "",
            config["description"] or f"Forecasts of {data['name']}.",
            "",
            f"{_what(about)} It forecasts "
            f"{validation['prediction_length']} observations of frequency {data['freq']}{_history(about)}, as quantiles.",
            "",
            *_loading(about),
            "",
            "## How good it is",
            "",
            f"Held out from {validation['held_out_from'][:10]} on: {validation['windows']} windows of {data['items']} series.",
            "",
            "| | WQL | MASE | MAE |",
            "|---|---|---|---|",
            *rows,
            "",
            f"- {validation['evidence']['sentence']}",
            *(f"- {one['sentence']}" for one in validation["verdicts"].values()),
            f"- {validation['interval_coverage']['sentence']}",
            f"- {validation['publish']['sentence']}",
            "",
            "## Data",
            "",
            f"{data['name']}: {data['items']} series, {data['rows']:,} rows, {data['freq']}, source {data['source'] or 'unknown'}, "
            f"licence {data['licence'] or 'unknown'}. Digest {data['digest']}.",
            *(f"- {one}" for one in data["findings"]),
            "",
            "## Provenance",
            "",
            f"Run {about['run_id'] or 'without a cloud'}, commit {about['git_commit'] or 'unknown'}, "
            f"trained {about['training_started_at']} to {about['training_ended_at']} on {about['device']}, seed "
            f"{config['training']['seed']}, torch {about['versions']['torch'] or 'unknown'}, chronos-forecasting {about['versions']['chronos'] or 'unknown'}.",
            "",
        ]
    )


def _what(about: dict[str, Any]) -> str:
    """Return one sentence about what learnt, from where."""
    model, started = about["model"], about["lineage"]["base_model"]
    base = f"{started['name']} ({started['digest'][:12]})" if started else None
    if model["autogluon"]:
        rows = model["autogluon"]["leaderboard"]
        best = next(row["model"] for row in rows if row["chosen"])
        return f"{best}, the best of {len(rows)} AutoGluon models{f', with Chronos from {base}' if base else ''}."
    origin = f"fine-tuned from {base}" if base else "from random weights"
    if model["chosen_step"] == 0:
        return (
            f"A {model['family']} model with {model['parameters']:,} parameters: {base} as it is, because no step of the "
            "fine-tuning was better on the validation windows."
        )
    steps = f"{model['chosen_step']:,} of {model['last_step']:,} steps"
    if model["refit"]:
        steps = f"{model['refit']['steps']:,} steps on everything before the held-out part, the number that validation found"
    return f"A {model['family']} model with {model['parameters']:,} parameters, {origin}, {steps}."


def _history(about: dict[str, Any]) -> str:
    if about["model"]["autogluon"]:
        return ""
    return f" from up to {about['configuration']['model']['context_length']} observations of history"


def _loading(about: dict[str, Any]) -> list[str]:
    """Return how the model is loaded, as a block of code."""
    family = about["model"]["family"]
    if about["model"]["autogluon"]:
        lines = [
            "from autogluon.timeseries import TimeSeriesPredictor",
            "",
            'predictor = TimeSeriesPredictor.load("path/of/this/folder")',
        ]
        # Its pickles are code; and they belong to one version.
        after = [
            "",
            f"With autogluon.timeseries {about['versions']['autogluon'] or 'of the same version'}. Loading it executes "
            "code in its pickles: load it only if you trust the source.",
        ]
    else:
        lines = [
            f"from chronos import {PIPELINES[family]}",
            "",
            f'pipeline = {PIPELINES[family]}.from_pretrained("path/of/this/folder")',
        ]
        after = []
    return ["```python", *lines, "```", *after]


def _others(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("_", " "): value for name, value in metrics.items() if isinstance(value, dict) and "wql" in value
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

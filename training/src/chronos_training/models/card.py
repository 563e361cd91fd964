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
    started = about["lineage"]["base_model"]
    origin = f"trained further from {started['name']} ({started['digest'][:12]})" if started else "from random weights"
    steps = f"{model['chosen_step']:,} of {model['last_step']:,} steps"
    rows = [
        f"| {name} | {_number(values['wql'])} | {_number(values['mase'])} | {_number(values['mae'])} |"
        for name, values in {"this model": metrics, **_others(metrics)}.items()
    ]
    return "\n".join(
        [
            "---",
            "library_name: chronos-forecasting",
            "pipeline_tag: time-series-forecasting",
            "---",
            f"# {about['name']}",
            "",
            config["description"] or f"Forecasts of {data['name']}.",
            "",
            f"A {model['family']} model with {model['parameters']:,} parameters, {origin}, {steps}. It forecasts "
            f"{validation['prediction_length']} observations of frequency {data['freq']} from up to "
            f"{config['model']['context_length']} observations of history, as quantiles.",
            "",
            "```python",
            f"from chronos import {PIPELINES[model['family']]}",
            "",
            f'pipeline = {PIPELINES[model["family"]]}.from_pretrained("path/of/this/folder")',
            "```",
            "",
            "## How good it is",
            "",
            f"Held out from {validation['held_out_from'][:10]} on: {validation['windows']} windows of {data['items']} series.",
            "",
            "| | WQL | MASE | MAE |",
            "|---|---|---|---|",
            *rows,
            "",
            *(f"- {one['sentence']}" for one in validation["verdicts"].values()),
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


def _others(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("_", " "): value for name, value in metrics.items() if isinstance(value, dict) and "wql" in value
    }


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

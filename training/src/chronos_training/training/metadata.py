"""model_metadata.json (R24, DR-005): where the model comes from and how good it is. Shape: model_metadata.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from importlib import resources
from typing import Any

from chronos_training.config.schema import TrainingConfig
from chronos_training.core.clock import iso
from chronos_training.data.panel import Panel
from chronos_training.data.usable import SeriesFinding
from chronos_training.training.losscurve import LossCurve
from chronos_training.training.spec import TrainingSpec
from chronos_training.training.versions import versions

SCORES = ("mae", "wql", "mase", "rmse", "smape")


def build_metadata(
    spec: TrainingSpec,
    panel: Panel,
    scores: dict[str, Any],
    *,
    model: dict[str, Any],
    findings: Sequence[SeriesFinding] = (),
    times: dict[str, datetime],
    seconds: dict[str, float],
    cost: dict[str, Any],
) -> dict[str, Any]:
    """Return the metadata. `model` is what is told of the training (see below); `times` holds training_started_at, training_ended_at and created_at (UTC); `seconds` by phase."""
    manifest, own = panel.manifest, scores["aggregate"]["model"]
    sharpe = scores["sharpe"]
    keys = ("name", "digest", "freq", "items", "rows", "start", "end", "source", "licence")
    return {
        "schema_version": 1,
        "name": spec.config.name,
        "run_id": spec.run.run_id or None,
        "env": spec.run.env or None,
        "launched_by": spec.run.launched_by or None,
        "git_commit": spec.run.git_commit or None,
        "created_at": iso(times["created_at"]),
        "training_started_at": iso(times["training_started_at"]),
        "training_ended_at": iso(times["training_ended_at"]),
        "seconds": {key: round(value, 3) for key, value in seconds.items()},
        "dataset": {key: manifest.get(key) for key in keys}
        | {
            "manifest_key": spec.run.dataset.manifest_key if spec.run.dataset else None,
            "findings": [finding.sentence for finding in findings],
        },
        "model": {
            "family": spec.config.model.family,
            "path": f"models/{spec.config.name}",
            "quantile_levels": spec.config.model_levels,
            **model,
        },
        "lineage": {
            "initialization": spec.config.model.initialization,
            "base_model": _base_model(spec),
            "parent_run_id": next((one.run_id for one in (spec.run.resume, spec.run.base_model) if one), None),
            "resumed_from_step": model["resumed_from_step"] or None,
        },
        "metrics": {
            **{key: own[key] for key in (*SCORES, "series")},
            "sharpe_ratio": sharpe["sharpe_ratio"],
            "sharpe_ratio_reason": sharpe.get("reason"),
            "sharpe": {key: sharpe[key] for key in ("n", "cost_basis_points", "buy_and_hold")},
            **{
                name: {key: values[key] for key in (*SCORES, "series")}
                for name, values in scores["aggregate"].items()
                if name != "model"
            },
            **{key: value for key, value in own.items() if key.startswith("relative_")},
        },
        "validation": {
            "method": "rolling-origin, held out from training",
            **{
                key: scores[key]
                for key in ("windows", "stride", "prediction_length", "season_length", "season_reason", "held_out_from")
            },
            "quantile_levels": scores["quantile_levels"],
            "coverage": own["coverage"],
            "evidence": scores["evidence"],
            "interval_coverage": scores["interval_coverage"],
            "verdict": scores["verdict"],
            "verdicts": scores["verdicts"],
            "publish": scores["publish"],
            **{key: scores[key] for key in ("recalibration", "rivals", "combination") if key in scores},
        },
        "configuration": spec.config.model_dump(mode="json"),
        "versions": versions(),
        "runtime": {key: getattr(spec.run.runtime, key) for key in ("python_env_sha256", "package_sha256")},
        "device": spec.device,
        "cost": cost,
    }


def chronos_section(config: TrainingConfig, parameters: int, curve: LossCurve) -> dict[str, Any]:
    """Return what the section `model` tells of a training in our own loop."""
    return {
        "parameters": parameters,
        "method": config.training.method,
        "precision": curve.precision.about(),
        "samples_per_second": round(curve.samples_per_second, 1),
        "resumed_from_step": curve.resumed_from,
        "last_step": curve.last_step,
        "chosen_step": curve.chosen_step,
        "refit": None if curve.refit is None else asdict(curve.refit),
        "autogluon": None,
    }


def autogluon_section(about: dict[str, Any]) -> dict[str, Any]:
    """Return what the section `model` tells of a training by AutoGluon, which has no steps of its own."""
    none = ("parameters", "method", "precision", "samples_per_second", "resumed_from_step", "last_step", "chosen_step",
            "refit")  # fmt: skip
    return {**dict.fromkeys(none), "autogluon": about}


def _base_model(spec: TrainingSpec) -> dict[str, Any] | None:
    if (base := spec.run.base_model) is None:
        return None
    return {key: getattr(base, key) for key in ("name", "family", "digest", "revision")}


def metadata_schema() -> dict[str, Any]:
    """Return the JSON schema of model_metadata.json, which lies beside this module."""
    text = (
        resources.files("chronos_training.training").joinpath("model_metadata.schema.json").read_text(encoding="utf-8")
    )
    schema: dict[str, Any] = json.loads(text)
    return schema

"""model_metadata.json (R24, DR-005): where the model comes from and how good it is. Shape: model_metadata.schema.json."""

from __future__ import annotations

import json
from datetime import datetime
from importlib import resources
from typing import Any

from chronos_training.core.clock import iso
from chronos_training.data.load import Panel
from chronos_training.models.spec import RunSpec
from chronos_training.models.versions import versions

NO_SHARPE = "The target is not a price or a return, so there is no strategy whose return could be measured (C19)."


def build_metadata(
    spec: RunSpec,
    panel: Panel,
    scores: dict[str, Any],
    *,
    parameters: int,
    times: dict[str, datetime],
    seconds: dict[str, float],
    loop: dict[str, Any],
    cost: dict[str, Any],
) -> dict[str, Any]:
    """Return the metadata. `times` holds training_started_at, training_ended_at and created_at (UTC); `seconds` by phase."""
    manifest, own = panel.manifest, scores["aggregate"]["model"]
    base = scores["aggregate"]["seasonal_naive"]
    keys = ("name", "digest", "freq", "items", "rows", "start", "end", "source", "licence")
    return {
        "schema_version": 1,
        "name": spec.config.name,
        "run_id": spec.run_id or None,
        "env": spec.env or None,
        "launched_by": spec.launched_by,
        "git_commit": spec.git_commit,
        "created_at": iso(times["created_at"]),
        "training_started_at": iso(times["training_started_at"]),
        "training_ended_at": iso(times["training_ended_at"]),
        "seconds": {key: round(value, 3) for key, value in seconds.items()},
        "dataset": {key: manifest.get(key) for key in keys} | {"manifest_key": spec.dataset.get("manifest_key")},
        "model": {
            "family": spec.config.model.family,
            "path": f"models/{spec.config.name}",
            "parameters": parameters,
            "quantile_levels": spec.config.model_levels,
            **loop,
        },
        "lineage": {
            "initialization": spec.config.model.initialization,
            "base_model": _base_model(spec),
            "parent_run_id": None,
            "resumed_from_step": loop["resumed_from_step"] or None,
        },
        "metrics": {
            "mae": own["mae"],
            "wql": own["wql"],
            "mase": own["mase"],
            "sharpe_ratio": None,
            "sharpe_ratio_reason": NO_SHARPE,
            "seasonal_naive": {key: base[key] for key in ("mae", "wql", "mase")},
            "relative_wql": own["relative_wql"],
            "relative_mase": own["relative_mase"],
        },
        "validation": {
            "method": "rolling-origin, held out from training",
            **{
                key: scores[key] for key in ("windows", "stride", "prediction_length", "season_length", "held_out_from")
            },
            "quantile_levels": scores["quantile_levels"],
            "coverage": own["coverage"],
            "verdict": scores["verdict"],
        },
        "configuration": spec.config.model_dump(mode="json"),
        "versions": versions(),
        "runtime": {key: spec.runtime.get(key) for key in ("python_env_sha256", "package_sha256")},
        "device": spec.device,
        "cost": cost,
    }


def _base_model(spec: RunSpec) -> dict[str, Any] | None:
    if not spec.base_model:
        return None
    return {key: spec.base_model.get(key) for key in ("name", "family", "digest", "revision")}


def metadata_schema() -> dict[str, Any]:
    """Return the JSON schema of model_metadata.json, which lies beside this module."""
    text = resources.files("chronos_training.models").joinpath("model_metadata.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema

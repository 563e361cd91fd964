"""A training: the candidates fitted on all that is known, and their walk-forward forecasts of the past."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.gate.measures import score
from chronos_volatility.models import (
    artifact,
    garch,
    har,
    intervals,
    scaled,
    serve,
    specifications,
    trees,
    walk_forward,
)
from chronos_volatility.models import design as design_module
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.models.design import Array, Design, design_of
from chronos_volatility.models.serve import Forecaster
from chronos_volatility.models.specifications import FALLBACK, Specification
from chronos_volatility.storage import Storage
from chronos_volatility.tables.encoding import read_parquet
from chronos_volatility.tables.training_sets import TrainingSet

PREFIX = "training_runs/"


@dataclass(frozen=True)
class Run:
    """The record of a training."""

    name: str
    """`<cut>-<8 hex digits>`: of the training set, the candidates, and the first forecast."""
    target: str
    cut: str
    training_digest: str
    sessions: int
    versions: dict[str, str]
    """By specification, the version of its artifact; only of those that serve."""
    specifications: dict[str, dict[str, Any]]
    """By specification: title, rank, serves, refit."""
    features: dict[str, list[str]]
    """By specification, the features that the stored model uses."""
    filled: dict[str, int]
    """By specification, sessions of the walk-forward that log-HAR stood in for."""
    scores: dict[str, dict[str, float]]
    synthetic: bool
    recipe: str
    """What the programs that fitted hash to."""


def train(
    storage: Storage, training_set: TrainingSet, candidates: Sequence[Specification], *, first: str | None = None
) -> tuple[Run, bool]:
    """Fit, forecast walk-forward, and store. Returns the record, and whether it is new: the same training is done once.

    Models of synthetic prices are fitted and stored without any score. Leak when a label ends after the cut.
    """
    design = design_of(training_set)
    name = run_name(design, candidates, first)
    if (found := storage.read(f"{PREFIX}{name}.json")) is not None:
        return _parse(found, f"{storage.url}/{PREFIX}{name}.json"), False
    table = None if design.synthetic else walk_forward.run(design, candidates, first=first)
    scores = {} if table is None else _scores(table)
    serving = [one for one in dict.fromkeys([FALLBACK, *candidates]) if one.serves]
    versions: dict[str, str] = {}
    features: dict[str, list[str]] = {}
    for one in serving:
        fitted = one.fit(design, len(design))
        assert isinstance(fitted, Forecaster)
        made = Artifact(
            fitted, design.target, design.cut, design.feature_set_version, design.digest, len(design),
            scores.get(one.name, {}), _interval(table, one.name), design.synthetic, versions.get(FALLBACK.name, ""),
        )  # fmt: skip
        versions[one.name] = artifact.save(storage, made)
        example = _last_complete(design, fitted)
        artifact.save_golden(storage, versions[one.name], example, float(fitted.rv_5d(example[None, :])[0]))
        features[one.name] = list(fitted.names)
    if table is not None:
        storage.create(f"walk_forward/{name}.parquet", _to_bytes(table))
    known = {
        one.name: {"title": one.title, "rank": one.rank, "serves": one.serves, "refit": one.refit} for one in candidates
    }
    filled = {} if table is None else table.attrs["filled"]
    run = Run(
        name, design.target, design.cut, design.digest, len(design), versions, known, features, filled, scores,
        design.synthetic, recipe(),
    )  # fmt: skip
    # The record comes last: where it is, everything that it names is.
    storage.create(f"{PREFIX}{name}.json", (json.dumps(dataclasses.asdict(run), indent=1) + "\n").encode())
    return run, True


def _last_complete(design: Design, fitted: Forecaster) -> Array:
    """Return the features (names) of the last session that has all of them, for the golden forecast; zeros when none has."""
    values = design.columns(fitted.names)
    whole = np.flatnonzero(np.isfinite(values).all(axis=1))
    return np.asarray(values[whole[-1]] if len(whole) else np.zeros(len(fitted.names)))


def run_name(design: Design, candidates: Sequence[Specification], first: str | None) -> str:
    """Return the name of a training: the same for the same rows, candidates, first forecast and recipe."""
    content = json.dumps([design.digest, [[one.name, one.title] for one in candidates], first, recipe()])
    return f"{design.cut}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def recipe() -> str:
    """Return what the programs that fit hash to: with other ones the same rows are another training."""
    found = hashlib.sha256()
    for module in (design_module, har, trees, garch, scaled, serve, specifications, walk_forward):
        found.update(Path(str(module.__file__)).read_bytes())
    return found.hexdigest()[:16]


def runs(storage: Storage) -> list[str]:
    """Return the names of all trainings, oldest cut first."""
    return [key[len(PREFIX) : -len(".json")] for key in storage.keys(PREFIX)]


def load(storage: Storage, name: str) -> Run:
    """Return the record of a training. DataError when there is none."""
    body = storage.read(f"{PREFIX}{name}.json")
    if body is None:
        raise DataError(f"{storage.url} has no training {name}.", hint="Run `volatility train` first.")
    return _parse(body, f"{storage.url}/{PREFIX}{name}.json")


def forecasts(storage: Storage, run: Run) -> pd.DataFrame:
    """Return the walk-forward of a training: date, y, and a column a specification. DataError when it is missing."""
    key = f"walk_forward/{run.name}.parquet"
    body = storage.read(key)
    if body is None:
        raise DataError(f"{storage.url}/{key} is missing.", hint="Train again, into a new storage.")
    table = read_parquet(body).to_pandas()
    table.attrs["filled"] = run.filled
    return table


def cut_of(name: str) -> str:
    """Return the cut (YYYY-MM-DD) of the training `name`."""
    return name.rpartition("-")[0]


def latest(storage: Storage, cut: str | None = None) -> str:
    """Return the training with the latest cut, or of the one that is given. DataError when there is none.

    Of several it is the one by the present programs.
    """
    names = [name for name in runs(storage) if cut is None or cut_of(name) == cut]
    if not names:
        of = "" if cut is None else f" of {cut}"
        raise DataError(f"{storage.url} has no training{of}.", hint="Run `volatility train` first.")
    rivals = [name for name in names if cut_of(name) == cut_of(names[-1])]
    if len(rivals) == 1:
        return names[-1]
    present = recipe()
    return next((name for name in rivals if load(storage, name).recipe == present), names[-1])


def _scores(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    y = table["y"].to_numpy()
    return {name: score(y, table[name].to_numpy(), synthetic=False) for name in table.columns.drop(["date", "y"])}


def _interval(table: pd.DataFrame | None, name: str) -> dict[str, float]:
    return {} if table is None else intervals.quantiles(table["y"].to_numpy(), table[name].to_numpy())


def _to_bytes(table: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    plain = table.copy()
    plain.attrs = {}
    plain.to_parquet(sink, index=False)
    return sink.getvalue()


def _parse(body: bytes, url: str) -> Run:
    try:
        return Run(**json.loads(body))
    except (ValueError, TypeError) as error:
        raise DataError(f"{url} is damaged: {error}.") from error

"""The model that serves. It is looked for again each minute, and loaded when it is another one."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronos_training.core.errors import DataError, TrainingError
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact, words
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.serving.predictions import HORIZON_DAYS
from chronos_volatility.storage import Storage

FRESH = 60.0
"""Seconds that a champion is taken for the present one."""
CLOSE = 1e-9
"""How far (relative) the golden forecast may be from what was stored."""


class NoModel(Exception):
    """No model can answer. `args[0]` is a sentence for a person."""


@dataclass(frozen=True)
class Loaded:
    """A model in memory."""

    version: str
    artifact: Artifact


class Models:
    """The champion of a storage. Thread-safe; a request sees one whole model or another, never parts of two."""

    def __init__(self, storage: Storage) -> None:
        """`storage` is where `gate` keeps the pointer."""
        self._storage = storage
        self._lock = threading.Lock()
        self._loaded: Loaded | None = None
        self._looked = 0.0

    def serving(self) -> Loaded:
        """Return the model that serves. NoModel when there is none, or it cannot be read."""
        with self._lock:
            if self._loaded is None or time.monotonic() - self._looked > FRESH:
                try:
                    version = champion.serving(self._storage)
                    if self._loaded is None or self._loaded.version != version:
                        self._loaded = Loaded(version, artifact.load(self._storage, version))
                except TrainingError as error:
                    raise NoModel(f"No model can answer: {error}") from error
                self._looked = time.monotonic()
            return self._loaded

    def check_golden(self) -> str:
        """Return the version that reproduces its golden forecast. NoModel when it does not, or has none."""
        found = self.serving()
        stored = artifact.golden(self._storage, found.version)
        if stored is None:
            raise NoModel(f"{found.version} has no golden forecast: train again.")
        now = predicted(found, np.asarray(stored["features"], dtype=np.float64))["rv_5d_hat"]
        if abs(now - stored["rv_5d_hat"]) > CLOSE * abs(stored["rv_5d_hat"]):
            raise NoModel(f"{found.version} forecasts {now:.12g} where {stored['rv_5d_hat']:.12g} was stored.")
        return found.version


def predicted(model: Loaded, values: Any) -> dict[str, Any]:
    """Return the forecast of a model for features (n), as /predict answers it. NoModel when it is not a number."""
    forecaster = model.artifact.forecaster
    try:
        rv_5d = float(forecaster.rv_5d(values[None, :])[0])
        drivers = forecaster.drivers(values)
    except TrainingError as error:
        raise NoModel(f"{model.version} cannot answer: {error}") from error
    if not np.isfinite(rv_5d):
        raise NoModel(f"{model.version} has no answer to these features.")
    return {
        "horizon_days": HORIZON_DAYS,
        "rv_5d_hat": rv_5d,
        "annualized": words.annualized(rv_5d),
        "regime": None,
        "regime_probabilities": None,
        "top_drivers": words.top_drivers(drivers),
        "drivers": [one._asdict() for one in drivers],
        "model_version": model.version,
        "feature_set_version": model.artifact.feature_set_version,
    }


def described(model: Loaded, storage: Storage) -> dict[str, Any]:
    """Return what /info says of a model."""
    try:
        present = champion.current(storage)
    except DataError:
        present = None
    since = present.since if present and present.version == model.version else None
    found = model.artifact
    return {
        "model_version": model.version,
        "serving_since": since,
        "target": found.target,
        "trained_until": found.cut,
        "sessions": found.sessions,
        "feature_set_version": found.feature_set_version,
        "features": list(found.forecaster.names),
        "horizon_days": HORIZON_DAYS,
        "metrics": json.loads(json.dumps(found.metrics)),
        "intervals": json.loads(json.dumps(found.interval)),
        "synthetic": found.synthetic,
    }

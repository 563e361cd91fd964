"""Trainings as the training task would have left them: python trainings.py KIND PLACE SESSION, in the environment of volatility/.

good    of the two linear models, which takes seconds
bad     the same by a program with a fault: every forecast is a quarter of what was fitted
timid   no training: a model that forecasts a quarter of what the champion does is stored; prints its version
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import Any

from chronos_volatility.cli import main
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact, training
from chronos_volatility.models.serve import Forecaster
from chronos_volatility.models.specifications import Specification
from chronos_volatility.steps import train as step
from chronos_volatility.storage import open_storage

QUARTER = 2 * math.log(4)  # of a volatility, in ln of the variance


def quartered(found: Forecaster) -> Forecaster:
    """The model, with a quarter of its forecasts."""
    linear = dataclasses.replace(found.linear, intercept=found.linear.intercept - QUARTER)
    return dataclasses.replace(found, linear=linear, bounds=(found.bounds[0] - QUARTER, found.bounds[1] - QUARTER))


def faulty(one: Specification) -> Specification:
    def fit(*given: Any) -> Any:
        return quartered(one.fit(*given))  # type: ignore[arg-type]

    return dataclasses.replace(one, fit=fit)


kind, place, session = sys.argv[1:]
if kind == "timid":
    storage = open_storage(place)
    found = artifact.load(storage, champion.serving(storage, {}))
    stored = artifact.golden(storage, found.version)
    assert stored is not None
    timid = dataclasses.replace(found, forecaster=quartered(found.forecaster))
    version = artifact.save(storage, timid)
    artifact.save_golden(storage, version, stored["features"], stored["rv_5d_hat"] / 4)
    print(version)
    sys.exit()
if kind == "bad":
    candidates = step._candidates
    step._candidates = lambda *given: [faulty(one) for one in candidates(*given)]  # type: ignore[assignment]
    training.FALLBACK = faulty(training.FALLBACK)  # type: ignore[misc]
words = ("--candidate", "log-har", "--candidate", "log-har-x", "--until", session, "--now", f"{session}T23:05:00Z")
sys.exit(main(["train", *words, "--data", place]))

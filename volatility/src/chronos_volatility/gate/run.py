"""The gate on a stored training: decision, canary, pointer; each is recorded and done once.

The pointer comes last: what the canary did not let pass never serves, wherever the gate is killed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronos_training.core.clock import iso
from chronos_training.core.errors import DataError
from chronos_volatility import tables
from chronos_volatility.gate import canary, champion
from chronos_volatility.gate.decision import KEEP, Contender
from chronos_volatility.gate.measures import qlike_loss
from chronos_volatility.gate.rules import RECENT, decide
from chronos_volatility.models import artifact, training
from chronos_volatility.models.artifact import Artifact
from chronos_volatility.models.design import Design, design_of
from chronos_volatility.models.training import Run
from chronos_volatility.storage import Storage
from chronos_volatility.tables import training_sets

PREFIX = "gate/"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What the gate did with a training."""

    record: dict[str, Any]
    """The decision as stored, with decided_at."""
    canary: dict[str, Any] | None
    """What the canary saw, None when nothing was promoted."""
    rolled_back_to: str | None
    """What serves in place of a model that failed its canary; None also when there is nothing else."""
    new: bool
    """Whether anything was written."""


def judge(storage: Storage, name: str, *, now: datetime) -> Outcome:
    """Decide on the training `name`, watch what won, and let it serve unless it fails. A second call writes nothing.

    Killed between two of these, the next call finishes it. DataError when the prices are synthetic.
    """
    run = training.load(storage, name)
    identity, record, new = _decision(storage, run, now)
    chosen, before = record["chosen"], record["champion"]
    if record["action"] == KEEP:
        return Outcome(record, None, None, new)
    report, watched = _watch(storage, identity, record, now)
    carried_out = {"now": now, "decision": identity, "expected": before}
    if report["passed"]:
        moved = champion.promote(storage, chosen, action=record["action"], reason=record["reason"], **carried_out)
        return Outcome(record, report, None, new or watched or moved)
    # A first champion has none before it; what stands in for its missing features is the next best.
    back = before or artifact.load(storage, chosen).fallback or None
    words = f"the canary of {chosen} failed in {report['share']:.0%} of {report['sessions']} sessions"
    moved = back is not None and champion.turn_back(storage, back, reason=words, **carried_out)
    return Outcome(record, report, back, new or watched or moved)


def _decision(storage: Storage, run: Run, now: datetime) -> tuple[str, dict[str, Any], bool]:
    """Return the decision on a training, its name, and whether it is new.

    A decision that was not carried out, because the champion changed in between, does not hold: the next one follows it.
    """
    present = champion.current(storage)
    done = {entry.decision for entry in present.history} if present else set()
    serving = present.version if present else None
    for number in count(1):
        identity = run.name if number == 1 else f"{run.name}-{number}"
        stored = storage.read(f"{PREFIX}{identity}.json")
        if stored is None:
            return identity, _decide(storage, run, identity, now), True
        record = _parse(stored, f"{storage.url}/{PREFIX}{identity}.json")
        if record["action"] == KEEP or identity in done or record["champion"] == serving:
            return identity, record, False
    raise AssertionError("unreachable")


def _decide(storage: Storage, run: Run, identity: str, now: datetime) -> dict[str, Any]:
    if run.synthetic:
        raise DataError(
            f"The training {run.name} is of synthetic prices, for tests of the contracts: they are never scored.",
            hint="Ingest real prices into a storage of their own.",
        )
    design = design_of(training_sets.load(storage, run.training_digest))
    behind = _behind(storage, run.cut)
    contenders = []
    for one, about in run.specifications.items():
        version = run.versions.get(one, "")
        recent = _recent(artifact.load(storage, version), design) if about["serves"] else float("nan")
        contenders.append(Contender(one, version, int(about["rank"]), bool(about["serves"]), behind, recent))
    decision = decide(
        training.forecasts(storage, run), contenders, champion=_champion(storage, design), synthetic=design.synthetic
    )
    record = {"training": run.name, "decided_at": iso(now), **decision.to_dict()}
    storage.create(f"{PREFIX}{identity}.json", (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return record


def _champion(storage: Storage, design: Design) -> Contender | None:
    """Return what serves now, None at first. One that cannot be loaded or used any more loses to every refit."""
    found = champion.current(storage)
    if found is None:
        return None
    try:
        loaded = artifact.load(storage, found.version)
        recent = _recent(loaded, design)
        name = loaded.forecaster.specification
    except (DataError, KeyError, ValueError):
        name, recent = found.version.rsplit("-", 2)[0], float("inf")
    return Contender(name, found.version, 0, True, 0, recent)


def _recent(model: Artifact, design: Design) -> float:
    """Return the QLIKE of a stored model over the last labelled sessions; log-HAR's gaps are left out. inf for none."""
    if model.feature_set_version != design.feature_set_version:
        return float("inf")
    values = design.columns(model.forecaster.names)[-RECENT:]
    found = np.exp(model.forecaster.ln_variance(values))
    known = np.isfinite(found)
    return float(qlike_loss(design.variance[-RECENT:][known], found[known]).mean()) if known.any() else float("inf")


def _behind(storage: Storage, cut: str) -> int:
    """Return how many sessions with features come after `cut`."""
    after = tables.read(storage, tables.FEATURES, first=cut)["date"]
    return int((after > np.datetime64(cut)).sum())


def _watch(storage: Storage, identity: str, record: dict[str, Any], now: datetime) -> tuple[dict[str, Any], bool]:
    key = f"{PREFIX}{identity}-canary.json"
    if (stored := storage.read(key)) is not None:
        return _parse(stored, f"{storage.url}/{key}"), False
    rows = tables.read(storage, tables.FEATURES).tail(canary.SESSIONS)
    names = [name for name in rows.columns if name not in {"date", "feature_set_version"}]
    sessions = [str(day.date()) for day in rows["date"]]
    old = _predictor(storage, record["champion"], names) if record["champion"] else None
    report = canary.watch(sessions, list(rows[names].to_numpy()), _predictor(storage, record["chosen"], names), old)
    found = {"training": record["training"], "version": record["chosen"], "watched_at": iso(now), **report.to_dict()}
    storage.create(key, (json.dumps(found, indent=1, sort_keys=True) + "\n").encode())
    return found, True


def _predictor(storage: Storage, version: str, names: list[str]) -> canary.Predict:
    """Return what forecasts rv_5d from all features, as `infer` does. What fails in loading fails in use."""

    def predict(row: Array) -> float:
        model = artifact.load(storage, version)
        found = float(model.forecaster.rv_5d(_of(row, names, model))[0])
        if np.isfinite(found) or not model.fallback:
            return found
        spare = artifact.load(storage, model.fallback)
        return float(spare.forecaster.rv_5d(_of(row, names, spare))[0])

    return predict


def _of(row: Array, names: list[str], model: Artifact) -> Array:
    return row[None, [names.index(name) for name in model.forecaster.names]]


def _parse(body: bytes, url: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise DataError(f"{url} is damaged: {error}.") from error
    return found

"""Models as they are stored: under a version that tells their content, and never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core.errors import DataError
from chronos_volatility.models.serve import Forecaster
from chronos_volatility.storage import Storage

PREFIX = "artifacts/model/"


@dataclass(frozen=True)
class Artifact:
    """A fitted model and where it comes from."""

    forecaster: Forecaster
    target: str
    cut: str
    """The last session whose close it could know (YYYY-MM-DD)."""
    feature_set_version: str
    training_digest: str
    """sha256 (hex) of its training set."""
    sessions: int
    """Rows that it was fitted on."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of its specification's walk-forward: rmse, qlike, bias, sessions."""
    interval: dict[str, float] = field(default_factory=dict)
    """By level, the factor on rv_5d_hat that this share of outcomes stayed below, in the walk-forward."""
    synthetic: bool = False
    fallback: str = ""
    """The version of log-HAR of the same training, which forecasts where a feature of this model is missing."""

    def body(self) -> bytes:
        """Return the JSON that is stored; the trees are a text of their own."""
        trees = self.forecaster.trees
        found = {
            "format": 1,
            "model": self.forecaster.to_dict(),
            "trees_sha256": None if trees is None else _sha(trees.text.encode()),
            "target": self.target,
            "cut": self.cut,
            "feature_set_version": self.feature_set_version,
            "training_digest": self.training_digest,
            "sessions": self.sessions,
            "metrics": self.metrics,
            "interval": self.interval,
            "synthetic": self.synthetic,
            "fallback": self.fallback,
        }
        return (json.dumps(found, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()

    @property
    def version(self) -> str:
        """Return the name: specification, cut, and what its content hashes to."""
        return f"{self.forecaster.specification}-{self.cut.replace('-', '')}-{_sha(self.body())[:8]}"


def save(storage: Storage, artifact: Artifact) -> str:
    """Store `artifact`, if it is not there, and return its version. Whoever is killed between leaves no readable half."""
    prefix = f"{PREFIX}{artifact.version}/"
    if artifact.forecaster.trees is not None:
        storage.create(f"{prefix}trees.txt", artifact.forecaster.trees.text.encode())
    storage.create(f"{prefix}model.json", artifact.body())
    return artifact.version


def load(storage: Storage, version: str) -> Artifact:
    """Return the model `version`. DataError when there is none, or it is not what its name tells."""
    if "/" in version or not version:
        raise DataError(f"{version!r} is not a version of a model.")
    key = f"{PREFIX}{version}/model.json"
    body = storage.read(key)
    if body is None:
        raise DataError(f"{storage.url}/{key} is missing: no model {version} is stored.", hint=_known(storage))
    damaged = DataError(
        f"{storage.url}/{key} is damaged: it is not what its name tells.",
        code="checksum_mismatch",
        hint="Choose another version with `volatility gate --rollback VERSION`.",
    )
    if not version.endswith(_sha(body)[:8]):
        raise damaged
    try:
        found: dict[str, Any] = json.loads(body)
        text = None
        if found["trees_sha256"] is not None:
            trees = storage.read(f"{PREFIX}{version}/trees.txt")
            if trees is None or _sha(trees) != found["trees_sha256"]:
                raise damaged
            text = trees.decode()
        return Artifact(
            Forecaster.from_dict(found["model"], text),
            found["target"], found["cut"], found["feature_set_version"], found["training_digest"], found["sessions"],
            found["metrics"], found["interval"], found["synthetic"], found["fallback"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise damaged from error


def save_golden(storage: Storage, version: str, features: Iterable[float], rv_5d_hat: float) -> None:
    """Store what `version` forecasts for `features` (n): whoever loads it can see that it still does."""
    body = json.dumps({"features": list(map(float, features)), "rv_5d_hat": float(rv_5d_hat)}, allow_nan=False)
    storage.create(f"{PREFIX}{version}/golden.json", f"{body}\n".encode())


def golden(storage: Storage, version: str) -> dict[str, Any] | None:
    """Return `features` and `rv_5d_hat` of a `save_golden`, None when there is none. DataError when it is damaged."""
    key = f"{PREFIX}{version}/golden.json"
    body = storage.read(key)
    if body is None:
        return None
    try:
        found = json.loads(body)
        return {"features": [float(one) for one in found["features"]], "rv_5d_hat": float(found["rv_5d_hat"])}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{storage.url}/{key} is damaged: {error}.") from error


def versions(storage: Storage) -> list[str]:
    """Return the versions of all models that are stored whole, sorted."""
    keys = storage.keys(PREFIX)
    return [key[len(PREFIX) :].split("/")[0] for key in keys if key.endswith("/model.json")]


def _known(storage: Storage) -> str:
    known = sorted(versions(storage), key=lambda one: (one.split("-")[-2:-1], one), reverse=True)
    return f"There are: {', '.join(known[:5])}." if known else "Run `volatility train` first."


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()

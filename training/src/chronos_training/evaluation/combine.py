"""A safe combination: the weighted mean of several forecasters' quantiles, with weights fitted to the validation windows.

Weights are not negative and sum to one; they minimize the scaled quantile loss, which is convex in them (quantile
averaging: Lichtendahl, Grushka-Cockayne & Winkler 2013, Management Science 59). A forecaster that adds nothing gets no weight,
so the combination with a model that has learned nothing is a combination of the rivals.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from chronos_training.evaluation.forecasts import Array, Chunk

COMBINATION = "combination"
FILE = "combination.json"  # in the model's folder
NEGLIGIBLE = 0.01  # smaller weights become zero
FEWEST = 6  # at least so many series in the validation windows


@dataclass(frozen=True)
class Combination:
    """`weights` by forecaster (None without a combination), and the reason in one sentence."""

    weights: dict[str, float] | None
    reason: str

    def add_to(self, chunk: Chunk) -> None:
        """Add the combined forecasts to a chunk with those of its members; its rows are those that all members forecast."""
        if self.weights is None:
            return
        there = np.ones(len(chunk.rows), bool)
        for name in self.weights:
            there &= chunk.sampled.get(name, True)
        chunk.quantiles[COMBINATION] = combined(chunk.quantiles, self.weights)
        chunk.sampled[COMBINATION] = there

    def save(self, folder: Path) -> None:
        """Write the combination into a model's folder."""
        content = {"schema_version": 1, **asdict(self)}
        (folder / FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Combination | None:
        """Return the combination in a model's folder, or None."""
        path = folder / FILE
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["weights"], content["reason"])


def combined(quantiles: dict[str, Array], weights: dict[str, float]) -> Array:
    """Return the weighted mean (rows, windows, levels, horizon) of each quantile."""
    return np.asarray(sum(weight * quantiles[name] for name, weight in weights.items()))


def fit_weights(quantiles: dict[str, Array], actual: Array, scale: Array, levels: list[float]) -> dict[str, float]:
    """Return the weights that minimize the quantile loss of forecasts (rows, windows, levels, horizon), largest first.

    `actual` (rows, windows, horizon), `scale` (rows, windows); entries that are NaN in either are not counted.
    """
    from scipy.optimize import minimize  # importing it takes half a second that other evaluations do not need

    names = list(quantiles)
    there = np.broadcast_to(~(np.isnan(actual) | np.isnan(scale)[:, :, None])[:, :, None], quantiles[names[0]].shape)
    unit = np.broadcast_to(scale[:, :, None, None], there.shape)[there]
    happened = np.broadcast_to(actual[:, :, None], there.shape)[there] / unit
    q = np.broadcast_to(np.asarray(levels)[:, None], there.shape)[there]
    members = np.stack([quantiles[name][there] / unit for name in names])

    def loss(weights: Array) -> tuple[float, Array]:
        apart = happened - weights @ members
        slope = np.where(apart > 0, -q, 1.0 - q)  # by the forecast
        return float(np.mean(np.maximum(q * apart, (q - 1.0) * apart))), members @ slope / len(q)

    equal = np.full(len(names), 1.0 / len(names))
    starts = [equal, *np.eye(len(names))]
    alone = int(np.argmin([loss(start)[0] for start in starts]))
    found = minimize(
        loss, starts[alone], jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * len(names),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(len(w))},
        options={"maxiter": 200, "ftol": 1e-7},
    )  # fmt: skip
    # The loss has kinks, where the search may stop early: the result is never worse than its start.
    best = np.clip(found.x, 0.0, None) if loss(found.x)[0] <= loss(starts[alone])[0] else starts[alone]
    best = np.where(best < NEGLIGIBLE, 0.0, best)
    best /= best.sum()
    order = np.argsort(-best, kind="stable")
    return {names[i]: round(float(best[i]), 4) for i in order if best[i] > 0}

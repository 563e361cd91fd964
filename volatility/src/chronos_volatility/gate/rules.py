"""The gate: which of the trained models may serve, and which one does.

| rule | threshold |
|---|---|
| sessions | at least 1,000 out of sample |
| fresh | its training ends at most 10 sessions before the last session |
| itself | the stored model is as good as its walk-forward over the last 250 sessions, to 10 % |
| serves | it answers for a session's features alone |
| benchmark | against scaled RV20: QLIKE 3 % better, RMSE not worse |
| fallback | QLIKE 2 % better than log-HAR-Parkinson, else log-HAR serves |
| challenger | another specification than the champion's: QLIKE 2 % better, Diebold–Mariano t above 1.28, and better in each third of the sessions |
| refit | the same specification: QLIKE not more than 1 % worse than the champion over the last 250 sessions |

Without Diebold–Mariano the champion would change by noise, and where losses are persistent it alone
passes more than the one in ten that it promises: hence the thirds. Without the rule for refits it would never be refreshed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chronos_training.core.errors import DataError
from chronos_volatility.gate import measures
from chronos_volatility.gate.confidence_set import p_values
from chronos_volatility.gate.decision import KEEP, PROMOTE, REFRESH, Check, Contender, Decision
from chronos_volatility.gate.diebold_mariano import statistic

LEAST_SESSIONS = 1000
MOST_BEHIND = 10
RECENT = 250
ITSELF = 0.10
BENCHMARK_GAIN = 0.03
FALLBACK_GAIN = 0.02
CHALLENGER_GAIN = 0.02
CHALLENGER_T = 1.28
REFIT_LOSS = 0.01
BENCHMARK, FALLBACK = "rv-20", "log-har"


def decide(
    forecasts: pd.DataFrame,
    contenders: Sequence[Contender],
    *,
    champion: Contender | None,
    synthetic: bool,
    with_confidence_set: bool = True,
) -> Decision:
    """Return which model serves. `forecasts` is `walk_forward.run`'s table: date, y, a column a specification, variances.

    `champion` is the model that serves now, None at first; its `recent` is measured over the same sessions as the contenders'.
    DataError when the prices are synthetic, or a forecast of a candidate is missing.
    """
    measures.require_real(synthetic=synthetic)
    names = [name for name in forecasts.columns if name not in {"date", "y"}]
    if unknown := [one.specification for one in contenders if one.specification not in names]:
        raise DataError(f"The walk-forward has no forecasts of {', '.join(unknown)}.")
    ruling = _Ruling(forecasts, names, champion)
    passed = [one for one in contenders if ruling.may_serve(one)]
    action, chosen, reason = ruling.choose(passed)
    return Decision(
        action, chosen, champion.version if champion else None, reason, tuple(ruling.checks), ruling.scores,
        p_values(ruling.losses) if with_confidence_set else {},
        str(forecasts["date"].iloc[0].date()), str(forecasts["date"].iloc[-1].date()),
    )  # fmt: skip


def least_gain(champion: NDArray[np.float64], challenger: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest of the gains in the first, second and last third of the sessions, of losses (n) or (n, models)."""
    thirds = zip(np.array_split(champion, 3), np.array_split(challenger, 3), strict=True)
    return np.asarray(np.min([1 - theirs.mean(axis=0) / ours.mean(axis=0) for ours, theirs in thirds], axis=0))


class _Ruling:
    def __init__(self, forecasts: pd.DataFrame, names: Sequence[str], champion: Contender | None) -> None:
        self.champion, self.checks = champion, list[Check]()
        y = forecasts["y"].to_numpy()
        self.sessions = len(y)
        columns = {name: forecasts[name].to_numpy() for name in names}
        self.scores = {name: measures.score(y, values, synthetic=False) for name, values in columns.items()}
        self.losses = {name: measures.qlike_loss(y, values) for name, values in columns.items()}
        for name in names:
            for measure in ("rmse", "qlike"):
                base = self.scores[BENCHMARK][measure]
                self.scores[name][f"{measure}_gain"] = measures.gain(self.scores[name][measure], base)

    def may_serve(self, one: Contender) -> bool:
        """Apply the rules that need no champion, all of them, and return whether all pass."""
        name = one.specification
        scores = self.scores[name]
        recent = float(self.losses[name][-RECENT:].mean())
        found = [
            self._check(name, "sessions", self.sessions, ">=", LEAST_SESSIONS, "{:,.0f} sessions out of sample"),
            self._check(name, "fresh", one.behind, "<=", MOST_BEHIND, "{:,.0f} sessions since its training ended"),
            self._check(name, "serves", float(one.serves), ">=", 1, "answers from one session's features alone"),
            self._check(
                name,
                "benchmark, QLIKE",
                scores["qlike_gain"],
                ">=",
                BENCHMARK_GAIN,
                "gain in QLIKE of {:+.1%} over scaled RV20",
            ),
            self._check(
                name, "benchmark, RMSE", scores["rmse_gain"], ">=", 0.0, "gain in RMSE of {:+.1%} over scaled RV20"
            ),
        ]
        if one.serves:
            words = "as stored, QLIKE {:+.1%} against its walk-forward over the last sessions"
            found.append(self._check(name, "itself", one.recent / recent - 1, "<=", ITSELF, words))
        if name != FALLBACK:
            words = "gain in QLIKE of {:+.1%} over log-HAR"
            found.append(self._check(name, "fallback", self._gain(name, FALLBACK), ">=", FALLBACK_GAIN, words))
        return all(found)

    def choose(self, passed: Sequence[Contender]) -> tuple[str, str | None, str]:
        """Return the action, the version that serves, and why."""
        ordered = sorted(passed, key=lambda one: one.rank)
        before = self.champion.version if self.champion else None
        if not ordered:
            return KEEP, before, "no candidate may serve"
        holder = next(
            (one for one in ordered if self.champion and one.specification == self.champion.specification), None
        )
        # A first champion, or one whose specification may serve no longer: the simplest that may, and what beats it.
        leader = holder or ordered[0]
        for one in ordered:
            if one.specification != leader.specification and self._beats(one, leader):
                leader = one
        if leader.version == before:
            return KEEP, before, f"{leader.specification} serves, and nothing new is better"
        if holder is not None and leader is holder:
            if self._refit(holder):
                return REFRESH, holder.version, f"a refit of {holder.specification}, which nothing beats"
            return KEEP, before, f"the refit of {holder.specification} is worse than what serves"
        why = "the first champion" if self.champion is None else f"in place of {self.champion.specification}"
        return PROMOTE, leader.version, f"{leader.specification}: {why}"

    def _beats(self, one: Contender, leader: Contender) -> bool:
        name, other = one.specification, leader.specification
        words = f"gain in QLIKE of {{:+.1%}} over {other}"
        better = self._check(name, "challenger, QLIKE", self._gain(name, other), ">=", CHALLENGER_GAIN, words)
        t = float(statistic(self.losses[other], self.losses[name]))
        words = f"Diebold-Mariano t {{:.2f}} against {other}"
        sure = self._check(name, "challenger, Diebold-Mariano", t, ">", CHALLENGER_T, words)
        least = float(least_gain(self.losses[other], self.losses[name]))
        words = f"gain in QLIKE of {{:+.1%}} over {other} in its worst third"
        return self._check(name, "challenger, thirds", least, ">", 0.0, words) and better and sure

    def _refit(self, one: Contender) -> bool:
        assert self.champion is not None
        loss = one.recent / self.champion.recent - 1
        words = "QLIKE {:+.1%} against the champion over the last sessions"
        return self._check(one.specification, "refit", loss, "<=", REFIT_LOSS, words)

    def _gain(self, name: str, other: str) -> float:
        return measures.gain(self.scores[name]["qlike"], self.scores[other]["qlike"])

    def _check(self, name: str, rule: str, figure: float, relation: str, threshold: float, words: str) -> bool:
        """Note the rule and return whether it passes; what is not a number does not. `words` may say how the figure is written, as {:.1%}."""
        passed = bool({">=": figure >= threshold, "<=": figure <= threshold, ">": figure > threshold}[relation])
        wanted = {">=": "at least", "<=": "at most", ">": "more than"}[relation]
        outcome = "passed" if passed else "refused"
        found = re.search(r"\{.*?\}", words)
        limit = f", {wanted} {found[0].format(threshold)} wanted" if found else ""
        sentence = f"{name}: {words.format(figure)}{limit}: {outcome}"
        self.checks.append(Check(name, rule, float(figure), float(threshold), passed, sentence))
        return passed

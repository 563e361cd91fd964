"""The comparison in words: better than, not distinguishable from, or worse than each rival; and the recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chronos_training.evaluation.coverage import NARROW
from chronos_training.evaluation.evidence import Evidence
from chronos_training.evaluation.relative import Ratio

NAMES = {
    "seasonal_naive": "seasonal naive",
    "naive": "naive",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
    "croston": "Croston",
    "zero_shot": "the base model",
}
ALONE = {"model": "the model alone"}  # what a combination is compared with
BETTER, EQUAL, WORSE, UNKNOWN, UNDEFINED = "better", "not distinguishable", "worse", "cannot tell", "undecided"
WORDS = {
    BETTER: "Better than",
    WORSE: "Worse than",
    EQUAL: "Not distinguishable from",
    UNKNOWN: "Cannot tell whether it is better than",
}
TIE = 1e-9  # of a ratio: rounding
WEAKEST_FIRST = (WORSE, UNKNOWN, EQUAL, BETTER)


def verdict(
    name: str, found: Ratio | None, confidence: float, evidence: Evidence, odd: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the comparison with one forecaster by WQL: `result`, the ratio with its interval, and a sentence.

    `odd` are the names of `found.odd`. The rules, in order (docs/evaluation.md): losing on every item is worse; too little
    evidence means "cannot tell"; an interval entirely on one side of 1 decides; no single item may decide; and if the mean over
    items and the ratio of the sums point in opposite directions, the weaker result counts.
    """
    who = (NAMES | ALONE)[name]
    if found is None:
        return {
            "against": name,
            "result": UNDEFINED,
            "sentence": f"Against {who}: nothing can be compared on these series.",
        }
    missing = replace(evidence, series=found.rows).missing  # a rival may be compared on a sample of the series
    lost_all = found.lost == found.rows
    reasons = []
    if lost_all:
        result = WORSE
    elif missing or found.interval is None:
        result = UNKNOWN
    else:
        result = _by_interval(found.interval)
        if found.without_interval is not None and found.without is not None:
            result = _by_interval(found.without_interval)
            names = ", ".join(odd)
            reasons.append(
                f"no single series decides: without {names} (over ten times away from the median ratio), "
                f"{change(found.without)}"
            )
        if found.pooled is not None and (found.pooled - 1.0) * (found.value - 1.0) < 0:
            pooled = _by_interval(found.pooled_interval) if found.pooled_interval else UNKNOWN
            result = weakest([result, pooled])
            reasons.append(
                f"but {change(found.pooled)} summed over all series, where large ones weigh more: the weaker result counts"
            )
    sentence = f"{WORDS[result]} {who}: WQL {change(found.value)} by the geometric mean over {found.rows:,} series"
    if found.interval is not None and not missing:
        low, high = found.interval
        sentence += f" ({confidence:.0%} interval over series and dates {change(low)} to {change(high)})"
    tied = f" and the same on {found.tied}" if found.tied else ""
    sentence += f", lower on {found.won} of {found.rows} series{tied}"
    if missing:
        reasons.append(f"{missing} by how much" if lost_all else missing)
    return {
        "against": name,
        "result": result,
        "relative_wql": found.value,
        "interval": list(found.interval) if found.interval else None,
        "series_won": found.won,
        "series_tied": found.tied,
        "series": found.rows,
        "relative_wql_pooled": found.pooled,
        "interval_pooled": list(found.pooled_interval) if found.pooled_interval else None,
        "sentence": "; ".join([sentence, *reasons]) + ".",
    }


def _by_interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return BETTER if high < 1.0 else WORSE if low > 1.0 else EQUAL


def over_seeds(own: dict[str, Any], others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the verdict on the stored model, weakened by the results of the same training with other seeds.

    The result is the weakest of all seeds, the interval reaches from the lowest bound to the highest, and `seeds` has the
    result of each, the stored one first.
    """
    every = [own, *others]
    if not others or any(one["result"] == UNDEFINED for one in every):
        return own
    result = weakest([one["result"] for one in every])
    ratios = sorted(one["relative_wql"] for one in every)
    intervals = [one["interval"] for one in every if one["interval"]]
    spread = [min(low for low, _ in intervals), max(high for _, high in intervals)] if intervals else None
    sentence = own["sentence"].replace(WORDS[own["result"]], WORDS[result], 1)
    reach = f", with intervals from {change(spread[0])} to {change(spread[1])}" if spread else ""
    keys = ("result", "relative_wql", "relative_wql_pooled", "interval")
    return own | {
        "result": result,
        "interval": spread,
        "seeds": [{key: one[key] for key in keys} for one in every],
        "sentence": f"{sentence} Over {len(every)} seeds: {change(ratios[0])} to {change(ratios[-1])}{reach}; the weakest result counts.",
    }


def weakest(results: Sequence[str]) -> str:
    """Return the least favourable result."""
    return min(results, key=WEAKEST_FIRST.index)


def change(ratio: float) -> str:
    """Return a ratio as a change: 0.9 is −10.0 %."""
    return f"{(ratio - 1.0) * 100:+,.1f} %".replace("-", "−")


def decision(
    condition: str, verdicts: dict[str, dict[str, Any]], coverage: dict[str, Any], *, without_evidence: bool = False
) -> dict[str, Any]:
    """Return whether the model is recommended for use: `condition`, `met`, and one sentence.

    With too little evidence or too narrow intervals no model is recommended; `without_evidence` treats "cannot tell" as "not
    distinguishable". "Not worse" also requires that the loss is not higher: with few series or dates nearly everything is not
    distinguishable, even a model that is a quarter worse.
    """
    if condition == "always":
        return _decided(condition, True, "regardless of the comparison")
    results = {name: one["result"] for name, one in verdicts.items()}
    higher = {
        name: change(ratio) for name, one in verdicts.items() if (ratio := max(_ratios(one), default=0.0)) > 1.0 + TIE
    }
    if without_evidence:
        results = {name: EQUAL if result == UNKNOWN else result for name, result in results.items()}
    met, reason = _compared(condition, results, higher)
    if met and coverage["result"] == NARROW:
        covered, nominal = coverage["coverage"] * 100, coverage["nominal"] * 100
        return _decided(condition, False, f"{reason}, but its {nominal:.0f} % interval covers only {covered:.0f} %")
    return _decided(condition, met, reason)


def _ratios(one: dict[str, Any]) -> list[float]:
    """Return both means of every seed, as far as they are known."""
    every = [of.get(key) for of in one.get("seeds", [one]) for key in ("relative_wql", "relative_wql_pooled")]
    return [ratio for ratio in every if ratio is not None]


def _compared(condition: str, results: dict[str, str], higher: dict[str, str]) -> tuple[bool, str]:
    if condition == "better_than_all":
        if not results:
            return False, "there is no comparison"
        lost = [NAMES[name] for name, result in results.items() if result != BETTER]
        return not lost, f"it is not better than {', '.join(lost)}" if lost else "it is better than all rivals"
    against = condition.removeprefix("not_").split("_than_")[1]
    if against not in results:
        return False, f"there is no comparison with {NAMES[against]}"
    result = results[against]
    if result == UNKNOWN:
        return False, f"there is too little evidence to tell whether it is better than {NAMES[against]}"
    if condition.startswith("not_worse") and result == EQUAL and against in higher:
        return (
            False,
            f"it is not distinguishable from {NAMES[against]}, and its loss is higher ({higher[against]})",
        )
    met = result in (BETTER, EQUAL) if condition.startswith("not_worse") else result == BETTER
    word = {BETTER: "better than", WORSE: "worse than", EQUAL: "not distinguishable from"}.get(
        result, "not comparable with"
    )
    return met, f"it is {word} {NAMES[against]}"


def _decided(condition: str, met: bool, reason: str) -> dict[str, Any]:
    word = "Recommended" if met else "Not recommended"
    return {"condition": condition, "met": met, "sentence": f"{word}: {reason} ({condition})."}

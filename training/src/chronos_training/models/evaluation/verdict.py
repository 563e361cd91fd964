"""What the comparison says, in words: better than, not distinguishable from, or worse than each; and what follows."""

from __future__ import annotations

from typing import Any

from chronos_training.models.evaluation.relative import Ratio

NAMES = {
    "seasonal_naive": "seasonal naive",
    "naive": "naive",
    "auto_ets": "AutoETS",
    "auto_theta": "AutoTheta",
    "zero_shot": "the model it started from",
}
BETTER, EQUAL, WORSE = "better", "not distinguishable", "worse"


def verdict(name: str, found: Ratio | None, confidence: float) -> dict[str, Any]:
    """Return the comparison with one forecaster by WQL: `result`, the ratio with its interval, and one sentence."""
    who = NAMES[name]
    if found is None:
        return {
            "against": name,
            "result": "undecided",
            "sentence": f"Against {who}: WQL is not defined on these series.",
        }
    if found.interval is None:
        result, interval = EQUAL, f"{found.rows} series are too few to tell"
    else:
        low, high = found.interval
        result = BETTER if high < 1.0 else WORSE if low > 1.0 else EQUAL
        interval = f"{confidence:.0%} interval {_change(low)} to {_change(high)}"
    word = {BETTER: "Better than", WORSE: "Worse than", EQUAL: "Not distinguishable from"}[result]
    sentence = (
        f"{word} {who}: WQL {_change(found.value)} by the geometric mean over series ({interval}), "
        f"lower on {found.won} of {found.rows} series."
    )
    return {
        "against": name,
        "result": result,
        "relative_wql": found.value,
        "interval": list(found.interval) if found.interval else None,
        "series_won": found.won,
        "series": found.rows,
        "sentence": sentence,
    }


def _change(ratio: float) -> str:
    return f"{(ratio - 1.0) * 100:+.1f} %".replace("-", "−")


def decision(condition: str, verdicts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return whether the model is recommended for use: `condition`, `met`, and one sentence."""
    if condition == "always":
        return _decided(condition, True, "whatever the comparison says")
    if condition == "better_than_all":
        if not verdicts:
            return _decided(condition, False, "there is no comparison")
        lost = [NAMES[name] for name, one in verdicts.items() if one["result"] != BETTER]
        return _decided(
            condition, not lost, f"it is not better than {', '.join(lost)}" if lost else "it is better than all"
        )
    against = condition.removeprefix("not_").split("_than_")[1]
    if against not in verdicts:
        return _decided(condition, False, f"there is no comparison with {NAMES[against]}")
    result = verdicts[against]["result"]
    met = result in (BETTER, EQUAL) if condition.startswith("not_worse") else result == BETTER
    word = {BETTER: "better than", WORSE: "worse than", EQUAL: "not distinguishable from"}.get(
        result, "not comparable with"
    )
    return _decided(condition, met, f"it is {word} {NAMES[against]}")


def _decided(condition: str, met: bool, reason: str) -> dict[str, Any]:
    word = "Recommended" if met else "Not recommended"
    return {"condition": condition, "met": met, "sentence": f"{word}: {reason} ({condition})."}

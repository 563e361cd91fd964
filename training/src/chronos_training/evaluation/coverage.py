"""Whether the intervals keep their promise: how often observations lie between the outermost quantiles."""

from __future__ import annotations

from typing import Any

from chronos_training.evaluation.resampling import Array, Resampling

HOLDS, NARROW, WIDE, UNKNOWN = "holds", "too narrow", "too wide", "cannot tell"


def judged(
    inside: Array, seen: Array, levels: list[float], how: Resampling, tolerance: float, missing: str | None
) -> dict[str, Any]:
    """Return `result`, the coverage with its interval over series and dates, and one sentence.

    `inside` and `seen` (items, dates) count the observations between the outermost `levels`, and all observations. `missing`
    says why there is too little evidence. Any forecast covers counts of slow sellers too often, because zero is inside its
    interval. So an interval that is too wide is reported, but does not count against a model.
    """
    nominal = levels[-1] - levels[0]
    about: dict[str, Any] = {
        "result": UNKNOWN, "nominal": nominal, "levels": [levels[0], levels[-1]], "coverage": None, "interval": None,
        "tolerance": tolerance,
    }  # fmt: skip
    if not levels[0] < 0.5 < levels[-1]:
        return about | {
            "sentence": "The quantiles form no interval around the median, so there is no coverage to check."
        }
    found = how.estimate(len(seen), lambda dates: (inside @ dates, seen @ dates))
    if found is None:
        return about | {
            "sentence": "The held-out windows contain no series that changes, so there is no coverage to check."
        }
    about["coverage"] = found.value
    chance = ""
    if found.interval is not None and missing is None:
        low, high = max(0.0, found.interval[0]), min(1.0, found.interval[1])
        about["interval"] = [low, high]
        chance = f" ({how.confidence:.0%} interval {low * 100:.0f} % to {high * 100:.0f} %)"
    says = f"The {nominal * 100:.0f} % interval covers {found.value * 100:.1f} % of the observations{chance}"
    if missing is not None:
        return about | {"sentence": f"{says}; {missing} whether it keeps its promise."}
    apart = found.value - nominal
    if abs(apart) <= tolerance + 1e-9:
        return about | {
            "result": HOLDS,
            "sentence": f"{says}: within {tolerance * 100:.0f} points of its promise.",
        }
    word = NARROW if apart < 0 else WIDE
    meaning = (
        f"{(1 - found.value) * 100:.0f} of 100 observations lie outside it, not {(1 - nominal) * 100:.0f}"
        if apart < 0
        else "a narrower one would keep the promise"
    )
    doubt = ""
    if about["interval"] and about["interval"][0] <= nominal <= about["interval"][1]:
        doubt = "; more windows may show that it keeps its promise"
    return about | {"result": word, "sentence": f"{says}; it is {word}: {meaning}{doubt}."}

"""Whether the intervals hold what they say: how often what happened lay inside the outermost quantiles."""

from __future__ import annotations

from typing import Any

from chronos_training.models.evaluation.resampling import Array, Resampling

HOLDS, NARROW, WIDE, UNKNOWN = "holds", "too narrow", "too wide", "cannot tell"


def judged(
    inside: Array, seen: Array, levels: list[float], how: Resampling, tolerance: float, missing: str | None
) -> dict[str, Any]:
    """Return `result`, the coverage with its interval over series and dates, and one sentence.

    `inside` and `seen` (items, dates) count observations between the outermost of `levels`, and all. `missing` says why there
    is too little evidence. Zeros that an interval has to end at are inside, so counts of slow sellers are covered too often
    by any forecast: an interval that is too wide is named, and is no reason against a model.
    """
    nominal = levels[-1] - levels[0]
    about: dict[str, Any] = {
        "result": UNKNOWN, "nominal": nominal, "levels": [levels[0], levels[-1]], "coverage": None, "interval": None,
        "tolerance": tolerance,
    }  # fmt: skip
    if not levels[0] < 0.5 < levels[-1]:
        return about | {"sentence": "There is no interval around the median whose coverage could be judged."}
    found = how.estimate(len(seen), lambda dates: (inside @ dates, seen @ dates))
    if found is None:
        return about | {
            "sentence": "Nothing that changes was observed in the held-out windows, so no coverage can be judged."
        }
    about["coverage"] = found.value
    chance = ""
    if found.interval is not None and missing is None:
        low, high = max(0.0, found.interval[0]), min(1.0, found.interval[1])
        about["interval"] = [low, high]
        chance = f" ({how.confidence:.0%} interval {low * 100:.0f} % to {high * 100:.0f} %)"
    says = f"The {nominal * 100:.0f} % interval covers {found.value * 100:.1f} % of what happened{chance}"
    if missing is not None:
        return about | {"sentence": f"{says}; {missing} whether it holds what it says."}
    apart = found.value - nominal
    if abs(apart) <= tolerance + 1e-9:
        return about | {
            "result": HOLDS,
            "sentence": f"{says}: it holds what it says, within {tolerance * 100:.0f} points.",
        }
    word = NARROW if apart < 0 else WIDE
    meaning = (
        f"what happens lies outside it in {(1 - found.value) * 100:.0f} of 100 cases, not in {(1 - nominal) * 100:.0f}"
        if apart < 0
        else "it promises less than the model knows"
    )
    doubt = ""
    if about["interval"] and about["interval"][0] <= nominal <= about["interval"][1]:
        doubt = "; with more windows it may turn out to hold"
    return about | {"result": word, "sentence": f"{says}: it is {word}, {meaning}{doubt}."}

"""The season of a panel, in observations: from its frequency, and from what its manifest says was measured in the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 10_000  # as forecast.season_length allows
# A season that explains less of the variance around the trend than this is of no use to a forecast.
WEAK = 0.1
# A longer season that contains the shorter one (168 hours contain 24) always repeats as well; it has to be this much better.
MARGIN = 0.05
# Fewer pairs of observations one season apart cannot show that there is no season.
ENOUGH_PAIRS = 100
_SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 604_800}
_SPANS = (("hour", 3600), ("day", 86_400), ("week", 604_800), ("year", 31_536_000))
_CALENDAR = {"B": (("week", 5), ("year", 260)), "M": (("year", 12),), "Q": (("year", 4),)}


@dataclass(frozen=True)
class Season:
    """`length` in observations, the `reason` for it in one sentence, and a `warning` when the data contradict it."""

    length: int
    reason: str
    warning: str | None = None


def candidates(freq: str) -> list[tuple[str, int]]:
    """Return (span in words, length in observations) of the calendar's seasons of a pandas frequency, the usual one first.

    A year is a season of steps of a day or more, an hour one of steps of a few minutes.
    """
    match = re.match(r"(\d*)([A-Za-z]+)", freq)
    if match is None:
        return []
    count, unit = int(match[1] or 1), match[2]
    if unit not in _SECONDS:
        calendar = _CALENDAR.get(unit.removesuffix("S").removesuffix("E"), ())
        return [(span, length // count) for span, length in calendar if length % count == 0 and length // count > 1]
    step = count * _SECONDS[unit]
    found = []
    for span, seconds in _SPANS:
        length = round(seconds / step)
        whole = span == "year" or seconds % step == 0
        fits = (span != "year" or step >= 86_400) and (span != "hour" or step < 900)
        if whole and fits and 2 <= length <= LONGEST:
            found.append((span, length))
    # The usual season of minutes is the day; an hour is looked at, too.
    return sorted(found, key=lambda pair: pair[0] == "hour")


def season_of(configured: int | str, manifest: dict[str, Any], shortest_history: int | None = None) -> Season:
    """Return the season that `forecast.season_length` means for the dataset of `manifest`.

    `shortest_history`: observations before the held-out part of the shortest series; a season is compared with the one
    before it, so that `auto` takes none of which there are no two.
    """
    freq = str(manifest.get("freq", ""))
    usual = candidates(freq)
    names = {length: span for span, length in usual}
    measured = [one for one in manifest.get("seasons", []) if int(one["length"]) in names]
    chosen = _chosen(freq, usual, names, measured, shortest_history)
    if configured == "auto":
        return chosen
    length = int(configured)
    return Season(length, "as configured.", _contradiction(length, chosen, measured))


def _chosen(
    freq: str,
    usual: Sequence[tuple[str, int]],
    names: dict[int, str],
    measured: Sequence[dict[str, Any]],
    shortest_history: int | None,
) -> Season:
    def fits(length: int) -> bool:
        return shortest_history is None or shortest_history > 2 * length

    if not usual:
        return Season(1, f"Frequency {freq!r} has no season within a year." if freq else "The frequency is not known.")
    best: dict[str, Any] | None = None
    for one in sorted(measured, key=lambda each: int(each["length"])):
        if fits(int(one["length"])) and _is_there(one):
            contains = best is not None and int(one["length"]) % int(best["length"]) == 0
            if best is None or one["autocorrelation"] > best["autocorrelation"] + (MARGIN if contains else 0.0):
                best = one
    if best is not None:
        length = int(best["length"])
        return Season(
            length,
            f"{length} observations of frequency {freq} are one {names[length]}, and the data repeat after it "
            f"(autocorrelation {best['autocorrelation']:.2f} around the trend, over {best['series']:,} series).",
        )
    absent = [one for one in measured if not _is_there(one) and int(one["pairs"]) >= ENOUGH_PAIRS]
    unknown = [length for _, length in usual if fits(length) and length not in {int(one["length"]) for one in absent}]
    if absent and (not unknown or unknown[0] != usual[0][1]):
        tried = ", ".join(f"{one['length']} ({one['autocorrelation']:.2f})" for one in absent)
        return Season(1, f"The data do not repeat: autocorrelation around the trend after {tried} observations.")
    if not unknown:
        return Season(1, f"The shortest series has no two seasons of {usual[0][1]} before its held-out part.")
    length = unknown[0]
    return Season(length, f"One {names[length]} of frequency {freq}; the data are too short to measure it.")


def _is_there(one: dict[str, Any]) -> bool:
    # Twice the standard error of the autocorrelation of noise, 1/sqrt(pairs) (Bartlett).
    return bool(one["autocorrelation"] >= max(WEAK, 2.0 / max(1, int(one["pairs"])) ** 0.5))


def _contradiction(length: int, chosen: Season, measured: Sequence[dict[str, Any]]) -> str | None:
    """Return what to say when the data repeat after another season, and clearly better than after a configured one."""
    known = {int(one["length"]): float(one["autocorrelation"]) for one in measured}
    strongest = known.get(chosen.length)
    if strongest is None or chosen.length == 1 or length % chosen.length == 0:
        return None
    # Of a length that the calendar does not know nothing was measured: then only a strong season contradicts.
    own = known.get(length, WEAK)
    if strongest < own + 2 * WEAK:
        return None
    return (
        f"forecast.season_length: {length} is configured, but the data repeat after {chosen.length} observations "
        f"(autocorrelation {strongest:.2f}): seasonal naive, AutoETS and AutoTheta without that season are weak rivals, "
        "so a comparison with them flatters the model. Use auto."
    )

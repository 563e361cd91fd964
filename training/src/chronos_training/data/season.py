"""How well each calendar season repeats in a panel: what `forecast.season_length: auto` decides by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from chronos_training.config.season import candidates
from chronos_training.data.resolution import RESOLUTION

Array = np.ndarray
# Series that are looked at, spread evenly, and seasons of each: more of either change the mean in the third digit.
MOST_SERIES, MOST_SEASONS = 200, 12
FEWEST_SEASONS = 3  # one is lost to the moving average, and one to the lag
ODD = 7.4  # medians of the absolute deviation that count at most: five standard deviations of normal noise
# The end of every series is left out: what is held out from training is not to choose the season.
LEFT_OUT = 5


def measured(frame: pd.DataFrame, freq: str, targets: Iterable[str]) -> list[dict[str, Any]]:
    """Return for each candidate season `length`, `autocorrelation`, `series` and `pairs`; none for too short series.

    `frame` is a panel sorted by item_id with every row of its grid. The autocorrelation at lag `length`, of what is left
    of a series without its centred moving average of one season, is the share of that variance which repeats (as in
    Hyndman & Athanasopoulos, FPP3, sections 3.4 and 4.3); it is the mean over series.
    """
    item = frame["item_id"].to_numpy()
    begins = np.flatnonzero(np.append(True, item[1:] != item[:-1])) if len(item) else np.empty(0, int)
    ends = np.append(begins[1:], len(item))
    count = min(len(begins), MOST_SERIES)
    chosen: Array = np.unique(np.linspace(0, max(0, len(begins) - 1), count).astype(int))
    found = []
    for _, length in candidates(freq):
        values, pairs = [], 0
        for target in targets:
            column = frame[target].to_numpy(dtype=float)
            for place in chosen:
                series = column[begins[place] : ends[place]]
                one = repetition(series[: len(series) - len(series) // LEFT_OUT], length)
                if one is not None:
                    values.append(one[0])
                    pairs += one[1]
        if values:
            mean = round(float(np.mean(values)), 4)
            found.append({"length": length, "autocorrelation": mean, "series": len(values), "pairs": pairs})
    return found


def repetition(series: Array, season: int) -> tuple[float, int] | None:
    """Return (autocorrelation at lag `season` around the trend, pairs of it) of a series (length,), NaN where missing.

    None when fewer than three seasons are there, or nothing varies.
    """
    series = series[-MOST_SEASONS * season - 1 :] if season > 100 else series[-100 * season :]
    there = ~np.isnan(series)
    if len(series) < FEWEST_SEASONS * season or there.sum() * 2 < len(series):
        return None
    places = np.arange(len(series))
    whole = np.interp(places, places[there], series[there] - series[there].mean())
    # Of an even season the two ends weigh half (FPP3, section 3.3), so that the average stays centred.
    half = season // 2
    sums = np.cumsum(np.append(0.0, whole))
    if season % 2:
        trend = (sums[season:] - sums[:-season]) / season
    else:
        inner = sums[2 * half : -1] - sums[1 : -2 * half]
        trend = (inner + (whole[: -2 * half] + whole[2 * half :]) / 2) / season
    rest = whole[half : len(whole) - half] - trend
    rest[~there[half : len(whole) - half]] = np.nan
    rest = rest - np.nanmedian(rest)
    usual = float(np.nanmedian(np.abs(rest)))
    if usual > 0:  # one odd value is not to outweigh everything
        rest = np.clip(rest, -ODD * usual, ODD * usual)
    rest = rest - np.nanmean(rest)
    variance = float(np.nanmean(rest**2))
    if not variance > (RESOLUTION * float(np.nanmedian(np.abs(series)))) ** 2:
        return None
    products = rest[season:] * rest[:-season]
    pairs = int((~np.isnan(products)).sum())
    return (float(np.nansum(products)) / pairs / variance, pairs) if pairs else None

"""What a source says now against what is stored: new, late, restated.

| a row | what becomes of it |
|---|---|
| of a session that is not stored | it is written |
| of a symbol that its session does not have yet | a correction, "late: SYMBOL" |
| that another source gives than the stored one | the stored one stands: vendors differ, and none is restated by another |
| that differs by no more than `restated_ignored` | the stored one stands |
| that differs by no more than `restated_accepted` | a correction, "restated by SOURCE: SYMBOL" |
| that differs by more, or in its split | refused, unless a person gives the reason |
| that the source does not have any more | the stored one stands |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chronos_training.core.errors import DataError
from chronos_volatility.settings import Settings
from chronos_volatility.tables.schemas import PRICES

_EXACT = 1e-9  # with a person's reason, any difference counts that rounding does not make


@dataclass(frozen=True)
class Merged:
    """All rows of the sessions that change, and why each session that is stored changes."""

    rows: pd.DataFrame
    reasons: dict[pd.Timestamp, str]


def merge(stored: pd.DataFrame, fetched: pd.DataFrame, settings: Settings, reason: str | None) -> Merged:
    """Return what changes when the rows `fetched` come to the rows `stored`, both of raw.market.

    `reason` is a person's, for differences beyond the limits. DataError names the row that differs too much.
    """
    key = ["date", "symbol"]
    both = fetched.merge(stored, on=key, how="left", suffixes=("", "_stored"))
    there = both["close_stored"].notna().to_numpy()
    apart = np.where(there, _apart(both), np.inf)
    if reason:
        changed = there & (apart > _EXACT)
    else:
        changed = there & (apart > settings.restated_ignored) & (both["source"] == both["source_stored"]).to_numpy()
    if reason is None and (changed & (apart > settings.restated_accepted)).any():
        raise _refusal(both[changed & (apart > settings.restated_accepted)], settings)
    new = fetched.reset_index(drop=True)[~there | changed]
    sessions = new["date"].unique()
    kept = stored[stored["date"].isin(sessions)].merge(new[key], on=key, how="left", indicator=True)
    kept = kept[kept["_merge"] == "left_only"].drop(columns="_merge")
    rows = pd.concat([kept, new] if len(kept) else [new]).sort_values(key, ignore_index=True)
    reasons: dict[pd.Timestamp, list[str]] = {}
    known = set(stored["date"])
    for row, was_there in zip(both[~there | changed].itertuples(), there[~there | changed], strict=True):
        if row.date in known:
            words = f"restated by {row.source}: {row.symbol}" if was_there else f"late: {row.symbol}"
            reasons.setdefault(row.date, []).append(reason or words)
    return Merged(rows, {day: "; ".join(dict.fromkeys(words)) for day, words in reasons.items()})


def _apart(both: pd.DataFrame) -> np.ndarray:
    """Return by how much each row differs from the stored one, relative to its prices; infinite with another split."""
    prices = [(both[name] / both[f"{name}_stored"] - 1).abs() for name in PRICES]
    dividend = (both["dividend"] - both["dividend_stored"]).abs() / both["close_stored"]
    largest = pd.concat([*prices, dividend], axis=1).max(axis=1).to_numpy()
    return np.where((both["split"] / both["split_stored"] - 1).abs() > _EXACT, np.inf, largest)


def _refusal(rows: pd.DataFrame, settings: Settings) -> DataError:
    row = rows.iloc[0]
    names = [name for name in (*PRICES, "dividend", "split") if abs(row[name] - row[f"{name}_stored"]) > _EXACT]
    worst = max(names, key=lambda name: abs(row[name] / row[f"{name}_stored"] - 1) if row[f"{name}_stored"] else np.inf)
    more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
    return DataError(
        f"raw.market: nothing was written: column {worst}, row {row['date']:%Y-%m-%d} {row['symbol']}{more}: {row['source']} "
        f"says {row[worst]:.10g}, stored is {row[f'{worst}_stored']:.10g} by {row['source_stored']}, and a restatement of "
        f"more than {settings.restated_accepted:.1%} is a person's to accept.",
        hint="Repeat with --reason if the new value is right; name another --source if it is wrong.",
        code="conflict",
    )

"""A backtest names the dates and series that went wrong, and stores what every forecaster said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from chronos_training.evaluation.scoring import Scoring
from chronos_training.evaluation.store import ForecastFile
from tests.unit.evaluation.test_rivals import config_of
from tests.unit.small_panel import chunk_with, panel_of


def test_the_worst_dates_and_series_are_those_where_it_went_wrong(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = [10.0 ** (i - 3) * (20 + random.normal(size=120)) for i in range(6)]
    for series in values:  # on day 117 something happened to all of them, and the fourth was wild for a fortnight
        series[117] *= 3
    values[3][104:114] *= 1.8
    panel, config = panel_of(values), config_of(windows=3)
    scoring = Scoring(panel, config)
    for items in (range(2), range(2, 6)):
        chunk = chunk_with(panel, config, items)
        chunk.quantiles["model"] = chunk.quantiles["seasonal_naive"] * 1.0
        scoring.add(chunk)
    found = scoring.result()
    assert found["worst_dates"][0]["date"] == str(np.datetime64("2020-01-01") + 117)
    assert found["worst_dates"][0]["loss"] > 3 * found["worst_dates"][0]["usual"]
    assert found["worst_dates"][0]["observations"] == 6 and len(found["worst_dates"]) == 10
    losses = [one["loss"] for one in found["worst_dates"]]
    assert losses == sorted(losses, reverse=True)
    assert found["worst_series"][0]["item_id"] == "d" and len(found["worst_series"]) == 6


def test_the_stored_forecasts_hold_every_rivals_median_and_outer_quantiles(tmp_path: Path) -> None:
    panel, config = panel_of([20 + np.random.default_rng(i).normal(size=120) for i in range(4)]), config_of()
    with ForecastFile(tmp_path / "f.parquet", panel, [0.1, 0.5, 0.9]) as store:
        for items in (range(3), range(3, 4)):
            chunk = chunk_with(panel, config, items)
            chunk.quantiles["auto_ets"] = chunk.quantiles["naive"] + 1.0
            if 3 in items:
                chunk.quantiles["auto_ets"] = np.full_like(chunk.quantiles["naive"], np.nan)
            store.add(chunk)
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert list(table.columns) == [
        "item_id", "window", "timestamp", "actual", "q0.1", "q0.5", "q0.9", "seasonal_naive", "seasonal_naive_q0.1",
        "seasonal_naive_q0.9", "naive", "naive_q0.1", "naive_q0.9", "auto_ets", "auto_ets_q0.1", "auto_ets_q0.9",
    ]  # fmt: skip
    known = table[table["item_id"] != "d"]
    np.testing.assert_allclose(known["auto_ets_q0.9"], known["naive_q0.9"] + 1.0)
    assert table[table["item_id"] == "d"]["auto_ets"].isna().all()
    assert len(table) == 4 * 3 * 7

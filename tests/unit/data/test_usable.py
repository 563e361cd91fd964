"""Series that cannot be learnt from: found with count and names, and handled as the configuration says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import DataError
from chronos_training.data.panel import Panel
from chronos_training.data.usable import usable
from tests.unit.small_panel import panel_of


def config(**dataset: str) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "dataset": dataset,
            "forecast": {"prediction_length": 7},
            "model": {"context_length": 28, "patch_size": 7},
            "evaluation": {"windows": 1},
        }
    )


def panel() -> Panel:
    """a is good, b is short, c constant, d has a gap, e has values in its held-out part only."""
    values = [np.random.default_rng(i).normal(size=60) for i in range(5)]
    values[1], values[2] = values[1][:20], np.full(60, 3.0)
    values[3][10:12] = np.nan
    values[4][:53] = np.nan
    return panel_of(values)


def test_what_the_rules_drop_is_gone_and_told() -> None:
    left, findings = usable(panel(), config(short_series="drop", constant_series="drop"))
    assert left.item_ids == ["a", "d"]
    np.testing.assert_array_equal(left.values(1, "target"), panel().values(3, "target"))
    told = {finding.check: (finding.items, finding.first, finding.handled) for finding in findings}
    assert told == {
        "too short": (1, ["b"], "dropped"),
        "empty": (1, ["e"], "dropped"),
        "constant": (1, ["c"], "dropped"),
        "incomplete": (1, ["d"], "masked"),
    }


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, r"1 too short series \(b\)\. .*dataset\.short_series"),
        ({"short_series": "drop", "constant_series": "refuse"}, r"1 constant series \(c\)\. .*constant_series"),
        ({"short_series": "drop", "missing_values": "refuse"}, r"1 incomplete series \(d\)\. .*missing_values"),
    ],
)
def test_what_the_rules_refuse_is_one_sentence_with_names(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        usable(panel(), config(**rules))


def test_a_series_without_any_value_to_learn_from_is_refused_as_a_short_one_is() -> None:
    whole = panel().only(np.array([0, 4]))
    with pytest.raises(DataError, match=r"1 empty series \(e\)\. .*short_series"):
        usable(whole, config())


def test_nothing_left_is_said() -> None:
    with pytest.raises(DataError, match=r"No series is left to train on: 1 too short series \(b\): dropped"):
        usable(panel().only(np.array([1])), config(short_series="drop"))


def test_a_good_panel_is_left_alone() -> None:
    whole = panel().only(np.array([0]))
    assert usable(whole, config()) == (whole, [])


def test_rounding_does_not_make_a_series_vary() -> None:
    values = [np.random.default_rng(0).normal(size=60), np.where(np.arange(60) % 11 == 0, 0.1 + 0.2, 0.3)]
    _, findings = usable(panel_of(values), config())
    assert [(f.check, f.first) for f in findings] == [("constant", ["b"])]

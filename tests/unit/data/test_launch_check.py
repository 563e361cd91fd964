"""What the launch refuses by the manifest alone is what the instance would refuse with the data in its hands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.config import TrainingConfig, check_against_dataset
from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.data.checks import check_panel
from chronos_training.data.load import load_panel
from chronos_training.data.prepare import prepare
from chronos_training.data.summary import summarize
from chronos_training.data.usable import usable
from tests.unit.small_panel import panel_of

Series = st.tuples(st.integers(30, 50), st.integers(0, 50), st.integers(0, 50), st.sampled_from([(), (7,), (3, 40)]))
RULES = st.fixed_dictionaries(
    {
        "short_series": st.sampled_from(["refuse", "drop"]),
        "constant_series": st.sampled_from(["keep", "drop", "refuse"]),
        "missing_values": st.sampled_from(["keep", "refuse"]),
    }
)


def values_of(length: int, first: int, change: int, holes: tuple[int, ...]) -> np.ndarray:
    values = np.where(np.arange(length) < change, 5.0, 5.0 + np.arange(length) % 3)
    values[: min(first, length - 1)] = np.nan
    values[[hole for hole in holes if hole < length - 1]] = np.nan
    return values


@settings(max_examples=200, deadline=None)
@given(st.lists(Series, min_size=1, max_size=4), RULES)
def test_the_manifest_tells_what_the_series_would(
    all_series: list[tuple[int, int, int, tuple[int, ...]]], rules: dict[str, str]
) -> None:
    config = TrainingConfig.model_validate(
        {"dataset": {"name": "x", **rules}, "forecast": {"prediction_length": 4, "season_length": 1},
         "model": {"context_length": 8, "min_context": 4, "patch_size": 4}, "training": {"batch_size": 1},
         "evaluation": {"windows": 2}}
    )  # fmt: skip
    values = [values_of(*one) for one in all_series]
    frame = pd.concat(
        pd.DataFrame({"item_id": f"s{i}", "timestamp": pd.date_range("2020-01-01", periods=len(v)), "target": v})
        for i, v in enumerate(values)
    )
    manifest = {"name": "x", **summarize(check_panel(frame), ["target"])}
    try:
        usable(panel_of(values), config)
        refused = False
    except DataError:
        refused = True
    try:
        check_against_dataset(config, manifest)
        foreseen = False
    except ConfigurationError:
        foreseen = True
    assert not (foreseen and not refused)
    if rules["short_series"] == "refuse":
        assert foreseen == refused


def test_the_manifest_has_it(tmp_path: Path, panel: pd.DataFrame) -> None:
    panel["other"] = 3.0
    panel.loc[5, "other"] = np.nan
    panel.to_csv(tmp_path / "p.csv", index=False)
    prepare(str(tmp_path / "p.csv"), "x", tmp_path / "out", targets=("target", "other"))
    first = dict.fromkeys(("known", "changed", "incomplete"), "s0")
    assert load_panel(tmp_path / "out").manifest["histories"] == {
        "target": {"known": [90, 90], "changed": [89, 89], "incomplete": 0, "first": first},
        "other": {"known": [90, 90], "changed": [0, 0], "incomplete": 1, "first": first},
    }

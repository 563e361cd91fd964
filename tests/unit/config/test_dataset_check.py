"""A configuration that does not fit its dataset is refused before anything is created."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_training.config import TrainingConfig, check_against_dataset
from chronos_training.config.remarks import suggestions
from chronos_training.core.errors import ConfigurationError

MANIFEST = {"name": "birthdays", "freq": "D", "target_columns": ["target"], "shortest_series": 7305, "items": 51}


def refuse(config: dict[str, Any], manifest: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_against_dataset(TrainingConfig.model_validate(config), {**MANIFEST, **manifest})
    return str(caught.value)


def test_the_default_fits() -> None:
    check_against_dataset(TrainingConfig(), MANIFEST)


def test_series_exactly_long_enough_and_one_too_short() -> None:
    config = TrainingConfig()
    need = 4 * 28 + 378 + 28
    assert config.shortest_usable_series == need
    check_against_dataset(config, {**MANIFEST, "shortest_series": need})
    # Half of what there is: a history that fills a series leaves it one origin.
    message = refuse({}, {"shortest_series": need - 1})
    assert "use 182 or less: with 364, the most that fits, that series has 14 origins" in message
    assert "memorized" in message


def test_context_longer_than_the_series() -> None:
    message = refuse({"model": {"context_length": 8190}}, {})
    assert "model.context_length: 8190 is longer than the series allow" in message
    assert "7305 observations" in message
    assert "use 3570 or less: with 7154, the most that fits, that series has 12 origins" in message


def test_held_out_part_leaves_nothing() -> None:
    message = refuse({"evaluation": {"windows": 300}}, {})
    assert "forecast.prediction_length: 28 with evaluation.windows 300 holds out 8400" in message


def test_unknown_target_names_the_nearest() -> None:
    message = refuse({"dataset": {"targets": ["targe"]}}, {})
    assert "dataset.targets: 'targe' is not a target column" in message
    assert "Did you mean 'target'?" in message


def test_other_dataset() -> None:
    assert "'births' is configured, but the manifest belongs to 'birthdays'" in refuse(
        {"dataset": {"name": "births"}}, {}
    )


def test_season_without_two_seasons_of_history() -> None:
    message = refuse({"forecast": {"season_length": 5000}}, {})
    assert "forecast.season_length: 5000 leaves no season to compare" in message


def test_several_at_once() -> None:
    message = refuse({"dataset": {"name": "x", "targets": ["y"]}}, {"shortest_series": 10})
    assert message.startswith("3 problems with dataset 'birthdays':")


def test_autogluon_needs_a_horizon_to_choose_by_and_a_short_history() -> None:
    config = {"model": {"family": "autogluon"}, "autogluon": {"validation_windows": 2}}
    need = 4 * 28 + 2 * 28 + 29
    check_against_dataset(TrainingConfig.model_validate(config), {**MANIFEST, "shortest_series": need})
    message = refuse(config, {"shortest_series": need - 1})
    assert f"needs series of {need} observations, 112 of them held out" in message
    assert "autogluon.validation_windows" in message


@pytest.mark.parametrize(
    ("rules", "history", "says"),
    [
        ({}, {"known": [112, 900]}, "dataset.short_series: column 'target' of dataset 'birthdays' has a series (s1) without a value before the last 112"),
        ({"short_series": "drop"}, {"known": [0, 112]}, "has every series without a value"),
        ({"constant_series": "refuse"}, {"changed": [112, 900]}, "dataset.constant_series: refuse, and column 'target'"),
        ({"constant_series": "drop"}, {"changed": [0, 112]}, "none would be left"),
        ({"missing_values": "refuse"}, {"incomplete": 3}, "dataset.missing_values: refuse, and 3 series of column 'target'"),
    ],
)  # fmt: skip
def test_what_the_instance_would_refuse(rules: dict[str, str], history: dict[str, Any], says: str) -> None:
    good = {
        "known": [113, 7305],
        "changed": [113, 7305],
        "incomplete": 0,
        "first": dict.fromkeys(("known", "changed", "incomplete"), "s1"),
    }
    manifest = {**MANIFEST, "longest_series": 7305}
    for histories in ({"target": good}, {"target": good, "other": {**good, **history}}):
        check_against_dataset(TrainingConfig.model_validate({"dataset": rules}), {**manifest, "histories": histories})
    assert says in refuse({"dataset": rules}, {**manifest, "histories": {"target": {**good, **history}}})


def test_a_minimum_that_the_data_pass_is_refused_and_one_that_they_keep_is_suggested() -> None:
    config = {"forecast": {"minimum": 0}}
    assert "forecast.minimum: 0 is more than the lowest value of 'target'" in refuse(
        config, {"lowest": {"target": -2.5}}
    )
    manifest = {**MANIFEST, "longest_series": 7305, "lowest": {"target": 0.0}}
    check_against_dataset(TrainingConfig.model_validate(config), manifest)
    told = "set forecast.minimum: 0"
    assert any(told in one for one in suggestions(TrainingConfig(), manifest))
    assert not any(told in one for one in suggestions(TrainingConfig.model_validate(config), manifest))
    assert not any(told in one for one in suggestions(TrainingConfig(), {**manifest, "lowest": {"target": -2.5}}))

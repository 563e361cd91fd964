"""Where the weights come from, when a file leaves it open: a base model of the package for small datasets, else random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chronos_training.base_models import described, names
from chronos_training.cli.weights import Weights, with_weights
from chronos_training.config import TrainingConfig, is_resolved, resolve, with_initialization
from chronos_training.config.initialization import FEW_WINDOWS
from chronos_training.core.errors import ConfigurationError
from tests.unit.config.test_auto import loaded, manifest

QUARTERS = {"forecast": {"prediction_length": 4}, "evaluation": {"windows": 2}}
FEW = manifest("QS-DEC", items=20, length=70)


def chosen(folder: Path, facts: dict[str, Any] = FEW, **sections: Any) -> TrainingConfig:
    return with_initialization(loaded(folder, **{**QUARTERS, **sections}), facts)


@pytest.mark.parametrize("family", ["chronos2", "chronos_bolt"])
def test_a_small_dataset_starts_from_the_base_model_of_its_family_with_its_sizes(tmp_path: Path, family: str) -> None:
    config = chosen(tmp_path, model={"family": family})
    assert config.model.initialization == "pretrained"
    base = Weights.of(str(config.model.base))
    assert base.about["family"] == family
    made = resolve(base.adopted(config), FEW, "cpu", base.longest_context)
    assert is_resolved(made) and "windows are few" in made.automatic["model.initialization"]
    assert made.model.patch_size == base.settings["patch_size"] and made.model.d_model == base.settings["d_model"]
    assert made.model.context_length <= base.longest_context and made.model_levels == base.settings["levels"]


def test_the_number_of_windows_decides(tmp_path: Path) -> None:
    held_out, horizon, items = 8, 4, 20
    enough = FEW_WINDOWS // items + held_out + 2 * horizon - 1
    for length, initialization in ((enough - 1, "pretrained"), (enough, "random")):
        assert chosen(tmp_path, manifest("QS-DEC", items=items, length=length)).model.initialization == initialization


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"forecast": {"prediction_length": 60}}, "forecasts at most"),
        ({"forecast": {"prediction_length": 4, "quantile_levels": [0.01, 0.5]}}, "did not learn the quantile 0.01"),
        ({"model": {"context_length": 28}}, "context_length 28 does not fit"),
        ({"model": {"context_length": 264}}, "context_length 264 does not fit"),
        ({"dataset": {"targets": ["a", "b"]}}, "one column without covariates"),
        ({"dataset": {"known_covariates": ["promo"]}}, "one column without covariates"),
    ],
)
def test_what_no_base_model_can_forecast_starts_from_random_weights(
    tmp_path: Path, sections: dict[str, Any], reason: str
) -> None:
    config = chosen(tmp_path, **sections)
    assert config.model.initialization == "random" and reason in config.automatic["model.initialization"]


@pytest.mark.parametrize(
    "model", [{"initialization": "random"}, {"d_model": 32}, {"patch_size": 4}, {"family": "chronos_t5"}]
)
def test_a_file_with_its_own_idea_of_the_model_is_left_alone(tmp_path: Path, model: dict[str, Any]) -> None:
    config = chosen(tmp_path, model=model)
    assert config.model.initialization == "random" and "model.initialization" not in config.automatic


def test_low_rank_additions_start_from_a_base_model_whatever_the_size(tmp_path: Path) -> None:
    config = chosen(tmp_path, manifest("QS-DEC", items=500, length=400), training={"method": "lora"})
    assert config.model.initialization == "pretrained"
    assert "low-rank additions need" in config.automatic["model.initialization"]
    with pytest.raises(ConfigurationError, match=r"there are none to start from: .* forecasts at most"):
        chosen(tmp_path, training={"method": "lora"}, forecast={"prediction_length": 60})


def test_weights_that_a_command_line_gives_are_never_ignored(tmp_path: Path) -> None:
    base = Path(names()[0])
    assert with_weights(loaded(tmp_path, **QUARTERS), base).model.base == str(base)
    with pytest.raises(ConfigurationError, match="gives weights to start from, but"):
        with_weights(loaded(tmp_path, model={"initialization": "random"}), base)
    with pytest.raises(ConfigurationError, match="gives no folder with them"):
        with_weights(loaded(tmp_path, model={"initialization": "pretrained", "base": "published"}), None)
    named = loaded(tmp_path, model={"initialization": "pretrained", "base": str(base)})
    assert with_weights(named, None) == named


def test_a_name_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigurationError) as error:
        described("builtin:chronos-3")
    assert all(name in str(error.value.hint) for name in names())

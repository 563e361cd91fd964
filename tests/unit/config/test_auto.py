"""Automatic settings: open in the file that a user writes, decided once, with a reason for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronos_training.config import TrainingConfig, check_against_dataset, load_config
from chronos_training.config import resolve as resolve_rest
from chronos_training.config.auto import KEYS, automatic_line, is_resolved, patch_of
from chronos_training.config.base_model import adopt
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.config.remarks import remarks
from chronos_training.core.errors import ConfigurationError


def manifest(freq: str = "D", items: int = 50, length: int = 7000, **more: Any) -> dict[str, Any]:
    about = {"name": "birthdays", "freq": freq, "items": items, "rows": items * length, "shortest_series": length}
    columns = {"columns": {"target": "double"}, "target_columns": ["target"], "digest": "d"}
    return about | columns | {"longest_series": length} | more


def resolve(config: TrainingConfig, manifest: dict[str, Any], device: str, **more: Any) -> TrainingConfig:
    """From random weights, unless the configuration says otherwise: test_initialization has the choice of a base model."""
    if config.automatic.get("model.initialization") == "":
        config = config.model_copy(
            update={"automatic": config.automatic | {"model.initialization": "as this test wants"}}
        )
    return resolve_rest(config, manifest, device, **more)


def loaded(folder: Path, **sections: Any) -> TrainingConfig:
    file = folder / "mine.json"
    file.write_text(json.dumps(sections))
    return load_config([file])


def test_what_a_file_leaves_out_is_chosen_by_the_data_with_a_reason(tmp_path: Path) -> None:
    config = loaded(tmp_path, forecast={"prediction_length": 28})
    assert set(config.automatic) == set(KEYS) and not is_resolved(config)
    made = resolve(config, manifest(), "cpu")
    assert is_resolved(made) and all(made.automatic.values())
    assert (made.model.patch_size, made.model.context_length) == (14, 378)
    assert made.training.validation_windows == 4 and made.training.refit
    assert "auto -> 14: " in automatic_line(made, "model.patch_size", made.automatic["model.patch_size"])


def test_little_data_is_learnt_in_few_passes_and_mixed_but_not_its_covariates(tmp_path: Path) -> None:
    quarters = {"forecast": {"prediction_length": 4}, "evaluation": {"windows": 3}}
    few = resolve(loaded(tmp_path, **quarters), manifest("QS-MAR", items=32, length=48), "cpu").training
    many = resolve(loaded(tmp_path, **quarters), manifest("QS-MAR", items=500, length=200), "cpu").training
    assert few.steps < many.steps and few.steps * few.batch_size < 40 * 32 * 48
    assert few.mixup_share > 0
    known = {"dataset": {"name": "birthdays", "known_covariates": ["promo"]}}
    assert resolve(loaded(tmp_path, **quarters, **known), manifest("QS-MAR"), "cpu").training.mixup_share == 0


def test_what_a_file_gives_stays(tmp_path: Path) -> None:
    ours = {"context_length": 120, "patch_size": 12, "d_model": 32}
    made = resolve(loaded(tmp_path, model=ours, training={"steps": 20, "learning_rate": 0.01}), manifest("MS"), "cpu")
    assert {key: getattr(made.model, key) for key in ours} == ours
    assert (made.training.steps, made.training.learning_rate, made.training.warmup_steps) == (20, 0.01, 1)
    assert made.training.validation_windows == 0 and not made.training.refit
    assert made.model.num_layers == TrainingConfig().model.num_layers


def test_auto_can_be_written(tmp_path: Path) -> None:
    said = {"steps": "auto", "learning_rate": "auto", "batch_size": 16}
    made = resolve(loaded(tmp_path, model={"patch_size": "auto"}, training=said), manifest("h"), "cpu")
    assert made.training.batch_size == 16 and 24 % made.model.patch_size == 0


def test_a_time_budget_is_for_the_trainings_of_all_seeds(tmp_path: Path) -> None:
    budget = {"time_budget_minutes": 0.3}
    made = [
        resolve(loaded(tmp_path, training=budget, evaluation={"seeds": seeds}), manifest(), "cpu") for seeds in (1, 3)
    ]
    one, three = (each.training.steps for each in made)
    assert 20 < three <= one // 3 + 10 < one
    assert made[1].automatic["training.steps"].endswith("on this device, for each of 3 seeds")
    assert "seed" not in made[0].automatic["training.steps"]


def test_other_families_have_nothing_automatic(tmp_path: Path) -> None:
    assert loaded(tmp_path, model={"family": "chronos_t5"}).automatic == {}
    asked = loaded(tmp_path, model={"family": "chronos_t5", "context_length": "auto"})
    with pytest.raises(ConfigurationError, match=r"model.context_length: auto is for the families"):
        resolve(asked, manifest(), "cpu")


def test_given_values_that_leave_none_are_refused_by_name(tmp_path: Path) -> None:
    config = loaded(tmp_path, model={"min_context": 350})
    with pytest.raises(ConfigurationError, match="min_context"):
        resolve(config, manifest(length=300), "cpu")


def test_the_run_spec_gives_the_same_values_again(tmp_path: Path) -> None:
    made = resolve(loaded(tmp_path), manifest(), "cpu")
    file = tmp_path / "again.json"
    file.write_text(json.dumps(made.model_dump(mode="json")))
    again = load_config([file])
    assert again == made and resolve(again, manifest(items=3), "cpu") == made
    plain = made.model_copy(update={"automatic": {}})
    assert Fingerprint(made, "d").digest == Fingerprint(plain, "d").digest, "a reason decides no weight"


def test_a_model_to_start_from_gives_its_sizes_and_its_longest_history(tmp_path: Path) -> None:
    config = loaded(tmp_path, model={"initialization": "pretrained", "base": "small"})
    published = {"family": "chronos2", "settings": {"patch_size": 16, "context_length": 256, "d_model": 48}}
    made = resolve(adopt(config, published), manifest(), "cpu", longest_context=256)
    assert (made.model.patch_size, made.model.d_model) == (16, 48)
    assert made.model.context_length <= 256 and made.model.context_length % 16 == 0
    assert made.training.learning_rate < TrainingConfig().training.learning_rate / 5


@pytest.mark.parametrize(
    ("season", "horizon"), [(7, 28), (12, 12), (4, 4), (24, 24), (48, 48), (5, 10), (52, 8), (13, 13), (23, 8)]
)
def test_a_patch_fits_its_season(season: int, horizon: int) -> None:
    patch = patch_of(season, horizon)
    assert season % patch == 0 or patch % season == 0  # of a prime number of observations, the whole season


@settings(max_examples=60, deadline=None)
@given(
    freq=st.sampled_from(["D", "B", "W-SUN", "h", "4h", "30min", "5min", "min", "MS", "ME", "QS-MAR", "YS-JAN", "14D"]),
    items=st.integers(1, 5000),
    length=st.integers(2, 20_000),
    spread=st.integers(0, 5000),
    horizon=st.integers(1, 96),
    windows=st.integers(1, 6),
    season=st.just("auto") | st.integers(1, 400),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_automatic_settings_are_valid_and_fit_whatever_the_data_allow(
    tmp_path_factory: pytest.TempPathFactory,
    freq: str,
    items: int,
    length: int,
    spread: int,
    horizon: int,
    windows: int,
    season: int | str,
    device: str,
) -> None:
    sections = {
        "forecast": {"prediction_length": horizon, "season_length": season},
        "evaluation": {"windows": windows},
    }
    config = loaded(tmp_path_factory.mktemp("c"), **sections)
    longest = length + spread
    facts = manifest(freq, items, length, longest_series=longest, rows=items * (length + longest) // 2)
    made = resolve(config, facts, device)
    assert is_resolved(made) and made == resolve(config, facts, device)
    # Never what leaves a series one origin where it could have more.
    room = length - made.held_out_length - made.validation_length - horizon
    if room >= 2:
        assert made.shortest_usable_series <= length
        assert made.model.shortest_context <= room
    seasons = (length - made.held_out_length) > 2 * made.season_length(facts)
    if room >= 2 and seasons and items * length >= 64:
        check_against_dataset(made, facts)


def test_the_plan_warns_of_small_data_unfit_patches_and_short_histories() -> None:
    config = TrainingConfig.model_validate({"model": {"context_length": 20, "patch_size": 5}})
    told = " ".join(remarks(config, manifest("MS", items=3, length=160)))
    assert "few for random weights" in told and "neither divides the season" in told and "less than two seasons" in told
    assert remarks(TrainingConfig(), manifest()) == []

"""A configuration that starts from published weights takes that model's sizes, or is refused."""

from __future__ import annotations

import pytest

from chronos_training.base_models.pretrained import settings_of
from chronos_training.config import TrainingConfig, adopt
from chronos_training.core.errors import ConfigurationError

LEVELS = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
PUBLISHED = {
    "family": "chronos2",
    "settings": {
        "patch_size": 16, "context_length": 8192, "longest_prediction": 1024, "d_model": 768, "d_kv": 64, "d_ff": 3072,
        "num_layers": 12, "num_heads": 12, "dropout_rate": 0.1, "levels": LEVELS,
    },
}  # fmt: skip


def config(**model) -> TrainingConfig:
    return TrainingConfig.model_validate({"model": {"initialization": "pretrained", "base": "chronos-2", **model}})


def test_the_sizes_are_those_of_the_model():
    adopted = adopt(config(context_length=14 * 32), PUBLISHED)
    assert (adopted.model.patch_size, adopted.model.d_model, adopted.model.num_layers) == (16, 768, 12)
    assert adopted.model_levels == LEVELS


def test_a_published_t5_brings_its_bins():
    own = settings_of(
        {
            "d_model": 512,
            "chronos_config": {"n_tokens": 4096, "tokenizer_kwargs": {"low_limit": -7.0, "high_limit": 15}},
        }
    )
    model = adopt(config(family="chronos_t5"), {"family": "chronos_t5", "settings": own}).model
    assert (model.vocabulary, model.low_limit, model.high_limit, model.d_model) == (4096, -7.0, 15.0, 512)


@pytest.mark.parametrize(
    ("settings", "model", "said"),
    [
        ({"context_length": 224}, {"context_length": 448}, "model.context_length: 448 is more than"),
        ({"longest_prediction": 16}, {"context_length": 448}, "forecast.prediction_length: 28 is more than"),
        ({}, {"context_length": 378}, "must be a multiple of patch_size (16), for example 368 or 384"),
        ({"levels": [0.1, 0.9]}, {"context_length": 448}, "0.2 is not among the model's levels: 0.1, 0.9"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(settings, model, said):
    with pytest.raises(ConfigurationError) as error:
        adopt(config(**model), {**PUBLISHED, "settings": {**PUBLISHED["settings"], **settings}})
    assert said in str(error.value)


def test_another_family_is_refused():
    with pytest.raises(ConfigurationError, match=r"is a model of family chronos_bolt, but model\.family is chronos2"):
        adopt(config(), {**PUBLISHED, "family": "chronos_bolt"})


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"initialization": "pretrained"}, "base must name the published model"),
        ({"base": "chronos-2"}, "base applies to initialization pretrained only"),
    ],
)
def test_base_and_initialization_belong_together(model, said):
    with pytest.raises(ValueError, match=said):
        TrainingConfig.model_validate({"model": model})


def test_autogluon_takes_any_chronos_model_as_it_is():
    wanted = config(family="autogluon")
    for family in ("chronos2", "chronos_bolt", "chronos_t5"):
        assert adopt(wanted, {**PUBLISHED, "family": family}) == wanted

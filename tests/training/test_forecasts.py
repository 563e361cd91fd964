"""Our forecasts are those of upstream's pipelines: any histories, any columns, any batch, and a GPU is asked only at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from chronos import Chronos2Pipeline, ChronosBoltPipeline, ChronosPipeline
from chronos.chronos import ChronosConfig, ChronosModel

from chronos_training.config import TrainingConfig
from chronos_training.families import family as family_of
from chronos_training.families.base import History
from chronos_training.families.chronos2 import _task
from chronos_training.families.weights import make_model
from tests.training.conftest import tiny

# A horizon that fills no whole patch.
HORIZON = 10
COLUMNS = {
    "alone": (1, 0, 0), "two targets": (2, 0, 0), "past covariate": (1, 1, 0), "known covariate": (1, 0, 1), "all": (2, 1, 2),
}  # fmt: skip


def config_of(family: str, columns: tuple[int, int, int] = (1, 0, 0), horizon: int = HORIZON) -> TrainingConfig:
    targets, past, known = columns
    data = {
        "targets": [f"t{i}" for i in range(targets)], "past_covariates": [f"p{i}" for i in range(past)],
        "known_covariates": [f"k{i}" for i in range(known)],
    }  # fmt: skip
    return tiny(
        dataset=data, model={"family": family}, forecast={"prediction_length": horizon}, evaluation={"batch_size": 4}
    )


def histories_of(columns: tuple[int, int, int], horizon: int = HORIZON) -> list[History]:
    """Histories of many lengths, with gaps."""
    random, out = np.random.default_rng(0), []
    for length in (28, 28, 9, 15, 3, 28, 21):
        target, past, known = (
            random.normal(5, 3, size=(rows, length + (horizon if rows == columns[2] and kind == 2 else 0))).astype(
                np.float32
            )
            for kind, rows in enumerate(columns)
        )
        target[:, length // 2] = np.nan
        out.append(History(target, past, known))
    return out


def model_of(config: TrainingConfig) -> Any:
    model = make_model(family_of(config.model.family), config, None)
    with torch.no_grad():  # weights as they begin give nearly the same forecast whatever they are given
        for one in model.parameters():
            one.add_(torch.randn_like(one) * 0.2)
    return model.eval()


@pytest.mark.parametrize("columns", COLUMNS.values(), ids=COLUMNS)
def test_chronos2_forecasts_as_upstreams_pipeline(columns: tuple[int, int, int]) -> None:
    config = config_of("chronos2", columns)
    model, histories = model_of(config), histories_of(columns)
    found = family_of("chronos2").predict(model, histories, config, lambda: None)
    out = Chronos2Pipeline(model).predict([_task(one) for one in histories], prediction_length=HORIZON, batch_size=4)
    levels = [config.model_levels.index(level) for level in config.forecast.quantile_levels]
    expected = np.stack([one.numpy()[:, levels] for one in out])
    assert found.shape == (len(histories), columns[0], 3, HORIZON)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_bolt_forecasts_as_upstreams_pipeline() -> None:
    config = config_of("chronos_bolt")
    model, histories = model_of(config), histories_of((1, 0, 0))
    found = family_of("chronos_bolt").predict(model, histories, config, lambda: None)
    expected, _ = ChronosBoltPipeline(model).predict_quantiles(
        [torch.from_numpy(one.target[0]) for one in histories], prediction_length=HORIZON,
        quantile_levels=list(config.forecast.quantile_levels),
    )  # fmt: skip
    np.testing.assert_allclose(found[:, 0], expected.numpy().swapaxes(1, 2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["chronos2", "chronos_bolt"])
def test_a_horizon_longer_than_the_models_is_upstreams(family: str) -> None:
    model, config = model_of(config_of(family, horizon=7)), config_of(family, horizon=20)
    found = family_of(family).predict(model, histories_of((1, 0, 0)), config, lambda: None)
    assert found.shape == (7, 1, 3, 20) and np.isfinite(found).all()


@pytest.mark.parametrize("top_k", [50, 7])
def test_t5_draws_what_upstreams_pipeline_draws_from_the_same_seed(top_k: int) -> None:
    config = config_of("chronos_t5")
    model, histories = model_of(config), histories_of((1, 0, 0))
    model.config.chronos_config["top_k"] = top_k  # another one than upstream's leaves it to upstream
    found = family_of("chronos_t5").predict(model, histories, config, lambda: None)
    chronos = ChronosConfig(**model.config.chronos_config)
    pipeline = ChronosPipeline(chronos.create_tokenizer(), ChronosModel(chronos, model))
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        samples = [
            pipeline.predict([torch.from_numpy(one.target[0]) for one in part], HORIZON, config.model.samples)
            for part in (histories[:4], histories[4:])
        ]
    levels = config.forecast.quantile_levels
    expected = np.concatenate([np.quantile(one.double().numpy(), levels, axis=1).swapaxes(0, 1) for one in samples])
    assert len(np.unique(expected)) > 20  # paths differ
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)

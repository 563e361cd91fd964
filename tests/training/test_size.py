"""The estimate of a model's size, which decides before anything is paid, against the models themselves."""

from __future__ import annotations

import pytest
import torch

from chronos_training.config import TrainingConfig
from chronos_training.config.size import parameters
from chronos_training.families import family as family_of
from tests.training.conftest import FAMILIES

SMALL = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
BASE = {"d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12, "num_heads": 12}
WIDE = {"d_model": 2048, "d_kv": 64, "d_ff": 8192, "num_layers": 4, "num_heads": 16}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sizes", [SMALL, BASE, WIDE], ids=["small", "base", "wide"])
def test_the_estimate_is_the_models_size(family: str, sizes: dict[str, int]) -> None:
    config = TrainingConfig.model_validate({"model": {"family": family, **sizes}})
    with torch.device("meta"):  # shapes only: the large ones would fill the memory
        try:
            model = family_of(family).build(config)
        except NotImplementedError:  # T5 orders the values of its embedding
            pytest.skip("needs values")
    assert parameters(config) == pytest.approx(sum(p.numel() for p in model.parameters()), rel=0.05)

"""Chronos-T5's vocabulary: its limits, and vectors that know which bins are neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from chronos import ChronosPipeline

from chronos_training.core.errors import ConfigurationError
from chronos_training.families.t5 import T5

from .conftest import tiny

NARROW = {"family": "chronos_t5", "low_limit": 0.0, "high_limit": 2.0, "vocabulary": 128}


def test_narrow_limits_make_finer_bins_for_upstream_too(tmp_path: Path) -> None:
    T5().save(T5().build(tiny(model=NARROW)), tmp_path / "model")
    tokenizer = ChronosPipeline.from_pretrained(tmp_path / "model").tokenizer
    values = torch.tensor([[1.0, 1.1, 0.9, 1.0]])
    tokens, _, scale = tokenizer.context_input_transform(values)
    back = tokenizer.output_transform(tokens[:, None, :-1], scale)[:, 0]
    bins = NARROW["vocabulary"] - 3  # padding, the end, and one edge more than bins
    assert torch.allclose(back, values, atol=2.0 / bins)
    assert len(set(tokens[0].tolist())) == 4  # three values and the end: with upstream's limits they were one


def test_the_limits_of_a_model_that_is_trained_further_must_be_its_own(tmp_path: Path) -> None:
    T5().save(T5().build(tiny(model=NARROW)), tmp_path / "model")
    T5().load(tmp_path / "model", tiny(model=NARROW))
    with pytest.raises(ConfigurationError, match=r"model\.high_limit is 15\.0, but the model in .* has 2\.0"):
        T5().load(tmp_path / "model", tiny(model=NARROW | {"high_limit": 15.0}))
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["chronos_config"]["tokenizer_kwargs"] = {"bins": 4}
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="has a tokenizer other than the one upstream uses"):
        T5().load(tmp_path / "model", tiny(model=NARROW))


def test_at_the_start_near_bins_are_alike_and_far_ones_are_not() -> None:
    torch.manual_seed(0)
    weight = T5().build(tiny(model=NARROW | {"vocabulary": 512, "d_model": 64})).shared.weight.detach()[2:]
    assert weight.std() == pytest.approx(1.0, rel=0.1)  # as upstream draws them
    unit = weight / weight.norm(dim=1, keepdim=True)
    near = (unit[1:] * unit[:-1]).sum(1).mean()
    far = (unit[256:] * unit[:-256]).sum(1).mean()
    assert near > 0.9
    assert far < 0.6

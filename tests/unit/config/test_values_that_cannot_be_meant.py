"""Values that are of the right type and cannot be meant: refused with the field, the value, the limit and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from chronos_training.config import TrainingConfig, check_against_dataset, load_config
from chronos_training.config.base_model import adopt
from chronos_training.config.bounds import WHY
from chronos_training.config.messages import all_keys, field_at, is_or_auto
from chronos_training.config.remarks import remarks
from chronos_training.config.size import check_disk, check_memory, learning_bytes, parameters
from chronos_training.core.capacity import gpu_memory_gb, memory_gb
from chronos_training.core.errors import ConfigurationError


def limits(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value that a field takes, or that it does not take any more."""
    metadata = field.metadata
    if is_or_auto(field.annotation):
        metadata = FieldInfo.from_annotation(get_args(field.annotation)[0]).metadata
    low = [getattr(m, "ge", None) if isinstance(m, Ge) else m.gt for m in metadata if isinstance(m, (Ge, Gt))]
    high = [getattr(m, "le", None) if isinstance(m, Le) else m.lt for m in metadata if isinstance(m, (Le, Lt))]
    return (low or [None])[0], (high or [None])[0]


def numeric() -> dict[str, FieldInfo]:
    found = {}
    for key in all_keys():
        field = field_at(tuple(key.split(".")))
        assert field is not None
        text = str(field.annotation)
        number = ("int" in text or "float" in text) and not any(word in text for word in ("list", "Literal", "dict"))
        if number or is_or_auto(field.annotation):
            found[key] = field
    return found


NUMERIC = numeric()


def test_every_number_has_limits_on_both_sides_and_a_reason() -> None:
    assert set(WHY) == set(NUMERIC)
    assert [key for key, field in NUMERIC.items() if None in limits(field)] == []


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(NUMERIC)), factor=st.floats(1.001, 1e6), low=st.booleans())
def test_what_is_beyond_is_refused_with_field_value_limit_and_reason(
    tmp_path: Path, key: str, factor: float, low: bool
) -> None:
    field = NUMERIC[key]
    least, most = limits(field)
    assert least is not None and most is not None
    whole = "int" in str(field.annotation)
    value: Any = least - abs(least) * factor - 1e-12 if low else most + abs(most) * factor
    value = (int(value) - 1 if low else int(value) + 1) if whole else value
    if key == "model.d_kv":  # even, or that would be told first
        value += value % 2 if not low else -(value % 2)
    section, name = key.split(".")
    content: dict[str, Any] = {section: {name: value}}
    if section == "autogluon":
        content["model"] = {"family": "autogluon"}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as caught:
        load_config([file])
    message = str(caught.value)
    assert f"{key}: " in message and WHY[key] in message and str(file) in message
    assert f"{most:,}" in message or f"{most:g}" in message or f"{least:g}" in message


HUGE = {"model": {"d_model": 4096, "d_ff": 16384, "num_layers": 24, "num_heads": 64, "d_kv": 64}}


def test_billions_of_parameters_are_refused_where_they_cannot_learn() -> None:
    config = TrainingConfig.model_validate(HUGE)
    assert 5e9 < parameters(config) < 8e9
    memory = memory_gb("m5.large")
    assert memory is not None and learning_bytes(config) > 80e9
    with pytest.raises(
        ConfigurationError,
        match=r"model\.d_model: 4096 with 24 layers .* training them needs at least .* GB; m5\.large has 9 GB",
    ):
        check_memory(config, memory, "m5.large", shared=True)
    with pytest.raises(
        ConfigurationError, match=r"keep_checkpoints: 2 checkpoints of .* need 3.. GB.* volume has 100 GB"
    ):
        check_disk(config, 100)
    for tiny in ("birthdays_tiny_cpu", "chronos2_finetune_g4dn"):
        from chronos_training.config import repository_config

        some = load_config([repository_config(tiny)])
        check_memory(some, memory, "m5.large", shared=True)
        check_disk(some, 100)


@pytest.mark.parametrize(
    ("kind", "memory", "gpu"),
    [("m5.large", 8, None), ("c5.2xlarge", 16, None), ("r5.xlarge", 32, None), ("g4dn.xlarge", 16, 16), ("g5.2xlarge", 32, 24),
     ("t3.large", 8, None), ("t3.small", None, None), ("m5.metal", None, None), ("x9.huge", None, None)],
)  # fmt: skip
def test_memory_of_a_type_by_its_name(kind: str, memory: float | None, gpu: float | None) -> None:
    found = memory_gb(kind)
    assert (None if found is None else round(found / 1.073741824)) == memory
    assert gpu_memory_gb(kind) == gpu


def test_a_batch_of_more_windows_than_there_are() -> None:
    manifest = {
        "name": "birthdays", "target_columns": ["target"], "columns": {}, "freq": "D", "rows": 3000,
        "shortest_series": 1000, "longest_series": 1000,
    }  # fmt: skip
    check_against_dataset(TrainingConfig.model_validate({"training": {"batch_size": 3000}}), manifest)
    with pytest.raises(ConfigurationError, match=r"training\.batch_size: 8,192 windows .* at most 3,000"):
        check_against_dataset(TrainingConfig.model_validate({"training": {"batch_size": 8192}}), manifest)


def test_a_context_of_padding_is_said() -> None:
    config = TrainingConfig.model_validate({"model": {"context_length": 8190, "min_context": 14}})
    assert "longer than the longest series (900 observations)" in remarks(config, {"longest_series": 900})[0]
    assert remarks(config, {"longest_series": 8180}) == []


def test_a_rank_that_is_not_low() -> None:
    content = {"model": {"initialization": "pretrained", "base": "x"}, "training": {"method": "lora", "lora_rank": 64}}
    published = {"family": "chronos2", "settings": {"d_model": 64}}
    with pytest.raises(ConfigurationError, match=r"training\.lora_rank: 64 is not a low rank .* at most 63"):
        adopt(TrainingConfig.model_validate(content), published)

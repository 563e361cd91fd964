"""What needs a GPU is refused for a CPU before anything is created."""

from __future__ import annotations

import pytest

from chronos_training.config import TrainingConfig, check_device
from chronos_training.core.errors import ConfigurationError


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_the_device_can_do(precision: str, device: str) -> None:
    check_device(TrainingConfig.model_validate({"training": {"precision": precision}}), device)


def test_fp16_needs_a_gpu() -> None:
    config = TrainingConfig.model_validate({"training": {"precision": "fp16"}})
    check_device(config, "cuda")
    with pytest.raises(ConfigurationError, match=r"training\.precision: fp16 needs a GPU, but the device is cpu"):
        check_device(config, "cpu")

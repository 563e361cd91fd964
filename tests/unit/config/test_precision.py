"""In which numbers a model computes: by the GPU, for every family, with a reason and with what is known against it."""

from __future__ import annotations

import pytest

from chronos_training.config import TrainingConfig, planned, precision

FAMILIES = ("chronos2", "chronos_bolt", "chronos_t5")
T4, A10G, H100 = (7, "T4"), (8, "A10G"), (9, "H100")


def configured(how: str = "auto", family: str = "chronos2") -> TrainingConfig:
    return TrainingConfig.model_validate({"model": {"family": family}, "training": {"precision": how}})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("gpu", "numbers"), [(T4, "fp32"), (A10G, "bf16"), (H100, "bf16")], ids=lambda one: str(one))
def test_auto_never_takes_fp16(family: str, gpu: tuple[int, str], numbers: str) -> None:
    found = precision(configured(family=family), "cuda", *gpu)
    assert (found.numbers, found.warning) == (numbers, "")
    assert gpu[1] in found.reason


def test_auto_on_a_cpu_is_fp32() -> None:
    assert precision(configured(), "cpu").sentence == "fp32: it is the fastest on a CPU"


@pytest.mark.parametrize("family", FAMILIES)
def test_fp16_is_taken_when_it_is_asked_for_and_what_is_known_is_said(family: str) -> None:
    found = precision(configured("fp16", family), "cuda", *T4)
    assert found.numbers == "fp16" and "are known to exceed the range of fp16 (65,504)" in found.warning


def test_emulated_bf16_is_said_to_be_slow() -> None:
    assert "the T4 emulates it" in precision(configured("bf16"), "cuda", 7, "the T4").warning
    assert not precision(configured("bf16"), "cuda", 8, "the A10G").warning
    assert not precision(configured("bf16"), "cpu").warning


def test_the_plan_names_each_choice_of_the_types_once() -> None:
    found = [one.sentence for one in planned(configured(), "cuda", ["g4dn.xlarge", "g5.xlarge", "g5.2xlarge"])]
    assert [sentence.split(",")[0] for sentence in found] == [
        "fp32: the T4 has no bf16",
        "bf16: the A10G supports it",
    ]
    assert [one.sentence for one in planned(configured(), "cuda", ["x9.large"])] == [
        "auto: bf16 if the GPU supports it, else fp32"
    ]
    assert [one.numbers for one in planned(configured(), "cpu", ["m5.large", "m5.xlarge"])] == ["fp32"]

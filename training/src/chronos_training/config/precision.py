"""In which numbers a model computes while it learns, and why. Free of torch, so that the plan says it, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chronos_training.config.schema import TrainingConfig

BF16_SINCE = 8  # the first major compute capability with bf16 in hardware (Ampere)
# https://aws.amazon.com/ec2/instance-types/#Accelerated_Computing: the GPU of a family of instances, its compute capability.
GPUS = {
    "p3": ("V100", 7), "p3dn": ("V100", 7), "g4dn": ("T4", 7), "g5": ("A10G", 8), "g6": ("L4", 8), "gr6": ("L4", 8),
    "g6f": ("L4", 8), "gr6f": ("L4", 8), "g6e": ("L40S", 8), "p4d": ("A100", 8), "p4de": ("A100", 8), "p5": ("H100", 9),
    "p5e": ("H200", 9), "p5en": ("H200", 9), "p6-b200": ("B200", 10), "p6-b300": ("B300", 10),
}  # fmt: skip
# transformers' issues 4586, 5651 and 9295, and upstream's own choice: Chronos2Pipeline.fit takes bf16, or fp32 where there is none.
OVERFLOWS = "the feed-forward layers of T5, which all Chronos families share, are known to exceed the range of fp16 (65,504) with pretrained weights"


@dataclass(frozen=True)
class Precision:
    """What was chosen. `warning` is what is known against it; empty for most."""

    numbers: str  # fp32, bf16 or fp16
    reason: str
    warning: str = ""

    @property
    def sentence(self) -> str:
        """Return choice and reason in one line."""
        return f"{self.numbers}: {self.reason}"

    def about(self) -> dict[str, Any]:
        """Return what the metadata keep."""
        return {"numbers": self.numbers, "reason": self.reason}


def precision(config: TrainingConfig, device: str, major: int | None = None, gpu: str = "the GPU") -> Precision:
    """Return the choice for a device (cpu or cuda) whose GPU, named `gpu`, has the major compute capability `major`."""
    wanted = config.training.precision
    if wanted == "fp16":
        return Precision(wanted, "training.precision says so", f"training.precision fp16: {OVERFLOWS}.")
    if wanted == "bf16" and device == "cuda" and major is not None and major < BF16_SINCE:
        slow = f"training.precision bf16: {gpu} emulates it, more slowly than fp32."
        return Precision(wanted, "training.precision says so", slow)
    if wanted != "auto":
        return Precision(wanted, "training.precision says so")
    if device == "cpu":
        return Precision("fp32", "it is the fastest on a CPU")
    if major is None:
        return Precision("auto", "bf16 if the GPU supports it, else fp32")
    if major >= BF16_SINCE:
        return Precision("bf16", f"{gpu} supports it, and its range equals that of fp32")
    return Precision("fp32", f"{gpu} has no bf16, and {OVERFLOWS}")


def planned(config: TrainingConfig, device: str, instance_types: Sequence[str]) -> list[Precision]:
    """Return the choices on instances of these types, each once, in their order."""
    if device == "cpu":
        return [precision(config, device)]
    found = []
    for kind in instance_types:
        gpu, major = GPUS.get(kind.split(".")[0], ("the GPU", None))
        found.append(precision(config, device, major, gpu if major is None else f"the {gpu}"))
    return list(dict.fromkeys(found))

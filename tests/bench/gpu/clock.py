"""Time, memory and how many seconds are left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from chronos_training.training.progress import Progress


class TimeIsUp(Exception):
    """What was to come next does not fit into what is left."""


class Budget:
    """The seconds that the whole may take."""

    def __init__(self, seconds: float) -> None:
        """It begins now."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()

    def need(self, seconds: float) -> None:
        """Raise TimeIsUp unless that many are left."""
        if self.left() < seconds:
            raise TimeIsUp


def finish(device: str) -> None:
    """Return when the device has done all that it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


class Enough(Exception):
    """The steps that are timed are done: what a training does at its end is left out."""


class Steps:
    """Takes the time at two steps of a training, each when the device is done with it, and ends it after the second."""

    def __init__(self, first: int, last: int, device: str) -> None:
        """Between the end of step `first` and that of step `last`."""
        self._first, self._last, self._device = first, last, device
        self._times: dict[int, float] = {}

    def at(self, step: int) -> None:
        """Note the end of a step. Raises Enough after the last."""
        if step in (self._first, self._last):
            finish(self._device)
            self._times[step] = time.monotonic()
        if step == self._last:
            raise Enough

    def per_second(self) -> float:
        """Return steps per second between the two."""
        return (self._last - self._first) / max(self._times[self._last] - self._times[self._first], 1e-9)


class ProgressWith(Progress):
    """Writes nothing, and tells each step."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """`tell` gets the number of each step that is done."""
        super().__init__(None)
        self._tell = tell

    def step(self, step: int, total: int, **values: Any) -> None:
        """Tell the step."""
        self._tell(step)


class CallbackWith(TrainerCallback):  # type: ignore[misc]
    """The same for upstream's Trainers."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        """`tell` gets the number of each step that is done."""
        self._tell = tell

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell the step."""
        self._tell(state.global_step)


def memory(device: str) -> float | None:
    """Return the most memory of the GPU that tensors had since the last call, in GB, and start over. None on a CPU."""
    import torch

    if device != "cuda":
        return None
    most = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return most

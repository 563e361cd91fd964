"""How a training program ended is said as it was seen: lack of memory only where the kernel counted it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chronos_training.agent import trainer
from chronos_training.agent.trainer import Trainer, TrainingFailed


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ([7, 7], "signal 9, but not because memory ran out"),
        ([7, 8], "signal 9: the kernel killed it or another program because memory ran out"),
        ([None, None], "signal 9, as the kernel does when memory runs out"),
    ],
)
def test_signal_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[int | None], said: str) -> None:
    numbers = iter(counted)
    monkeypatch.setattr(trainer, "_ended_for_memory", lambda: next(numbers))
    program = Trainer(
        [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {}, tmp_path / "log", tmp_path / "pid"
    )
    with pytest.raises(TrainingFailed, match=said):
        program.run(tmp_path / "progress", lambda progress: None, lambda: None, 1)


def test_the_kernels_own_count() -> None:
    counted = trainer._ended_for_memory()
    assert (counted is None) is ("oom_kill " not in Path("/proc/vmstat").read_text())

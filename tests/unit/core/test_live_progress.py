"""The live progress: what the trainer and the agent write is what the monitor reads."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_training.core.live_progress import LiveProgress

NUMBER = st.none() | st.floats(-1e9, 1e9)
FLOATS = dict.fromkeys(("loss", "samples_per_second", "eta_seconds", "best_score"), NUMBER)


@given(st.builds(LiveProgress, **{one.name: ... for one in dataclasses.fields(LiveProgress)} | FLOATS))
def test_what_is_written_is_read_back_and_what_is_unknown_is_not_written(progress: LiveProgress) -> None:
    assert LiveProgress.from_json(progress.to_json()) == progress
    assert None not in progress.to_json().values()


def test_what_an_earlier_version_wrote_is_read() -> None:
    old = {"phase": "training", "step": 3, "total_steps": 4, "loss": None, "eta_seconds": 18, "more": 1}
    assert LiveProgress.from_json(old) == LiveProgress(phase="training", step=3, total_steps=4, eta_seconds=18)


@pytest.mark.parametrize("content", [None, [], {"step": "three"}])
def test_what_is_none_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"it is|its key step is"):
        LiveProgress.from_json(content)

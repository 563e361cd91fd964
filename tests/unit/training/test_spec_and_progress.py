"""The run spec is checked; progress is readable at every moment."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import TrainingError
from chronos_training.training.progress import Progress, clock
from chronos_training.training.spec import read_spec
from chronos_training.training.stopping import Interrupted, StopRequest

WHOLE = {"schema_version": 1, "training": TrainingConfig().model_dump(mode="json"), "device": "cpu"}


def write(path: Path, **change: Any) -> Path:
    path.write_text(json.dumps(WHOLE | change))
    return path


def test_a_spec_is_read(tmp_path: Path) -> None:
    spec = read_spec(write(tmp_path / "s.json", run_id="20260502-093000", instance={"type": "x"}, dataset=None))
    assert (spec.config, spec.device, spec.run.run_id) == (TrainingConfig(), "cpu", "20260502-093000")
    assert (spec.run.instance.type, spec.run.dataset) == ("x", None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training": None}, "its key training is None"),
        ({"training": {"forecast": {"prediction_length": 0}}}, "training.forecast.prediction_length: 0 is not allowed"),
        ({"device": "gpu"}, "device: 'gpu' is not allowed: must be one of: cpu, cuda"),
    ],
)
def test_a_bad_spec_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        read_spec(write(tmp_path / "s.json", **change))


def test_missing_and_broken_spec(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no such run spec"):
        read_spec(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(TrainingError, match="is not a run spec of this program"):
        read_spec(tmp_path / "broken.json")


def test_progress_file_and_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chronos_training")
    progress = Progress(tmp_path / "progress.json")
    progress.phase("training", "training x")
    for step in (1, 2, 600):
        progress.step(step, 600, loss=0.4123, samples_per_second=31.46, eta_seconds=15.2)
    content = json.loads((tmp_path / "progress.json").read_text())
    assert content == {
        "phase": "training", "step": 600, "total_steps": 600, "loss": 0.4123, "samples_per_second": 31.5, "eta_seconds": 15.2,
        "message": "step 600/600",
    }  # fmt: skip
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "training x",
        "step 1/600  loss 0.412  31.5 samples/s  eta 0:15",
        "step 600/600  loss 0.412  31.5 samples/s  eta 0:15",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "progress.json"]


def test_progress_of_autogluon_names_model_best_and_time(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    progress.phase("training", "training x")
    progress.fitting("", 0, 0, used=0.4, left=600.0)
    assert json.loads((tmp_path / "progress.json").read_text())["message"].startswith(
        "preparing the models (0 of 0 fitted)"
    )
    progress.fitting("DeepAR", 2, 4, used=75.0, left=525.0, best_score=0.08123, best_model="Theta", metric="WQL")
    content = json.loads((tmp_path / "progress.json").read_text())
    assert (content["step"], content["total_steps"], content["eta_seconds"]) == (2, 4, 525.0)
    assert content["message"] == (
        "fitting DeepAR (2 of 4 fitted, best WQL 0.08123 by Theta), 1:15 used, at most 8:45 left"
    )


def test_a_stop_leaves_a_library_that_catches_exceptions(tmp_path: Path) -> None:
    """The library goes on after every Exception, as AutoGluon does; the signal comes while it works."""
    stop, lines = StopRequest(), []

    def library() -> None:
        for model in range(3):
            try:
                lines.append(model)
                os.kill(os.getpid(), signal.SIGTERM)
            except Exception:
                lines.append("failed")

    before = signal.getsignal(signal.SIGTERM)
    stop.install()
    try:
        with pytest.raises(Interrupted), stop.interrupting():
            library()
        assert lines == [0] and stop.requested
        with pytest.raises(Interrupted), stop.interrupting():  # asked for before it began
            library()
        assert lines == [0]
        library()  # outside of such a block nothing is raised
        assert lines == [0, 0, 1, 2]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_loss_that_is_no_number_keeps_the_file_json(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    progress.step(1, 1, loss=float("nan"), samples_per_second=1.0, eta_seconds=0.0)
    assert "loss" not in json.loads((tmp_path / "progress.json").read_text())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3725, "1:02:05"), (-4, "0:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text

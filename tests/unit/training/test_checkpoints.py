"""Only complete checkpoints are resumed from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chronos_training.config import TrainingConfig
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.layout import COMPLETION_MARKER
from chronos_training.training import checkpoints


def write(folder: Path, step: int, *, keep: int = 9, fingerprint: str = "m") -> Path:
    partial = folder / checkpoints.PARTIAL / f"checkpoint-{step}"
    partial.mkdir(parents=True)
    (partial / "model.safetensors").write_bytes(b"weights" * step)
    (partial / "optimizer.pt").write_bytes(b"optimizer")
    return checkpoints.publish(partial.parent, step, keep, fingerprint)


def test_the_newest_complete_one_comes_first(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write(tmp_path, step)
    assert checkpoints.complete(tmp_path, "m", most=1) == ([100], [])


def test_nothing_there(tmp_path: Path) -> None:
    assert checkpoints.complete(tmp_path / "absent", "m") == ([], [])


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    for step in (2, 4, 10, 12):
        write(tmp_path, step, keep=2)
    assert checkpoints.steps_in(tmp_path) == [10, 12]


def test_what_is_being_written_is_not_seen(tmp_path: Path) -> None:
    write(tmp_path, 5)
    (tmp_path / checkpoints.PARTIAL / "checkpoint-7").mkdir()
    assert checkpoints.complete(tmp_path, "m", most=1)[0] == [5]


@pytest.mark.parametrize("damage", ["cut", "flip", "lost", "no marker", "bad marker", "marker without files"])
def test_a_torn_checkpoint_is_passed_over_with_its_reason(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 5)
    path = write(tmp_path, 10)
    weights, marker = path / "model.safetensors", path / COMPLETION_MARKER
    {
        "cut": lambda: weights.write_bytes(weights.read_bytes()[:-1]),
        "flip": lambda: weights.write_bytes(b"X" + weights.read_bytes()[1:]),
        "lost": weights.unlink,
        "no marker": marker.unlink,
        "bad marker": lambda: marker.write_text("{"),
        "marker without files": lambda: marker.write_text(json.dumps({"step": 10})),
    }[damage]()
    found, skipped = checkpoints.complete(tmp_path, "m")
    assert found == [5]
    assert len(skipped) == 1 and skipped[0].startswith("checkpoint-10 is incomplete (")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 5, fingerprint="other")
    with pytest.raises(ConfigurationError, match="checkpoint-5 was written with another configuration"):
        checkpoints.complete(tmp_path, "m")


def test_fingerprint_follows_what_decides_the_weights() -> None:
    def fingerprint(digest: str = "d", **change: object) -> str:
        return Fingerprint(TrainingConfig.model_validate(change), digest).digest

    assert fingerprint() == fingerprint(run={"max_runtime_hours": 3}) == fingerprint(description="other")
    assert (
        len(
            {
                fingerprint(),
                fingerprint("e"),
                fingerprint(training={"seed": 1}),
                fingerprint(model={"d_model": 32}),
                fingerprint(evaluation={"windows": 5}),
            }
        )
        == 5
    )

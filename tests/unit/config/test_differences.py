"""What a configuration sets otherwise than the defaults, and which file says so."""

from __future__ import annotations

from pathlib import Path

from chronos_training.config import TrainingConfig, differences, load_with_origins


def test_the_defaults_differ_in_nothing() -> None:
    assert differences(TrainingConfig()) == []


def test_only_what_differs_is_told_with_the_default(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntraining: {steps: 5000, batch_size: 32}\nforecast: {quantile_levels: [0.1, 0.5, 0.9]}\n"
    )
    config, _ = load_with_origins([file])
    found = {one.key: (one.default, one.value) for one in differences(config)}
    assert found["training.steps"] == (1200, 5000)
    assert "training.batch_size" not in found and "name" not in found


def test_the_file_that_says_so_last_is_named(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("training: {steps: 2000, seed: 3}\n")
    second.write_text("training: {steps: 5000}\n")
    _, origins = load_with_origins([first, second])
    assert origins["training.steps"] == second and origins["training.seed"] == first

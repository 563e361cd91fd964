"""forecast_task.json of a model that began from another one: what the parent's training saw, the child's saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from chronos_training.config import TrainingConfig
from chronos_training.core.errors import ConfigurationError
from chronos_training.data.panel import Panel
from chronos_training.evaluation.seen import base_must_not_have_seen, must_be_unseen
from chronos_training.families.task import Task, read_task
from tests.unit.small_panel import panel_of


def held_out(config: TrainingConfig, windows: int) -> TrainingConfig:
    evaluation = config.evaluation.model_copy(update={"windows": windows})
    return config.model_copy(update={"evaluation": evaluation})


def stored(folder: Path, task: Task) -> Path:
    folder.mkdir()
    task.write(folder)
    return folder


@pytest.fixture
def parent(tmp_path: Path, panel: Panel, config: TrainingConfig) -> Path:
    """A model that saw all but the last of the windows of seven days."""
    return stored(tmp_path / "parent", Task.of(held_out(config, 1), panel))


def test_the_later_end_counts(panel: Panel, config: TrainingConfig, parent: Path) -> None:
    before, own, child = read_task(parent), Task.of(config, panel), Task.of(config, panel, parent)
    assert before is not None and own.train_end < before.train_end == child.train_end
    assert must_be_unseen(own, panel, config, allowed=False) is None
    with pytest.raises(ConfigurationError, match=r"up to 2020-04-22, and saw 10 of these 15 windows"):
        must_be_unseen(child, panel, config, allowed=False)
    assert must_be_unseen(child, panel, held_out(config, 1), allowed=False) is None


def test_a_parent_that_saw_less_changes_nothing(
    tmp_path: Path, panel: Panel, config: TrainingConfig, parent: Path
) -> None:
    first = stored(tmp_path / "first", Task.of(config, panel))
    assert Task.of(held_out(config, 1), panel, first) == read_task(parent)


def test_the_end_of_each_series_is_the_later_one(tmp_path: Path, config: TrainingConfig) -> None:
    short, long = np.arange(100.0), np.arange(120.0)
    before = panel_of([long, short])  # of series a and b: b goes on in the child's data, a does not
    after = panel_of([short, long])
    child = Task.of(config, after, stored(tmp_path / "first", Task.of(config, before)))
    assert child.ends_of(after).tolist() == Task.of(config, panel_of([long, long])).ends_of(after).tolist()


def test_what_was_seen_of_another_dataset_counts_there_only(
    tmp_path: Path, panel: Panel, config: TrainingConfig, parent: Path
) -> None:
    other = dataclasses.replace(panel, name="other")
    child = Task.of(config, other, parent)
    assert child.train_end == Task.of(config, other).train_end
    assert must_be_unseen(child, other, config, allowed=False) is None
    with pytest.raises(ConfigurationError, match="saw 10 of these 15"):
        must_be_unseen(child, panel, config, allowed=False)
    grandchild = Task.of(config, panel, stored(tmp_path / "child", child))
    before = read_task(parent)
    assert before is not None and grandchild.train_end == before.train_end
    assert list(grandchild.elsewhere) == ["other"]


def test_a_training_from_it_does_not_judge_itself_by_what_it_saw(
    panel: Panel, config: TrainingConfig, parent: Path
) -> None:
    with pytest.raises(ConfigurationError, match="saw 10 of the 15 windows that this training holds out"):
        base_must_not_have_seen(Task.of(config, panel, parent), panel, config)
    fewer = held_out(config, 1)
    base_must_not_have_seen(Task.of(fewer, panel, parent), panel, fewer)
    base_must_not_have_seen(Task.of(config, panel), panel, config)


def test_weights_without_a_task_tell_nothing(tmp_path: Path, panel: Panel, config: TrainingConfig) -> None:
    assert Task.of(config, panel, tmp_path) == Task.of(config, panel)

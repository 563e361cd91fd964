"""The base models that come with the package: whole, small, documented, and without dates of a dataset."""

from __future__ import annotations

import json

import pytest

from chronos_training.base_models import described, folder_of, names
from chronos_training.base_models.pretrained import read_pretrained
from chronos_training.config import TrainingConfig
from chronos_training.families.task import read_task


def test_one_of_each_patched_family() -> None:
    assert {described(name)["family"] for name in names()} == {"chronos2", "chronos_bolt"}


@pytest.mark.parametrize("name", names())
def test_is_whole_and_small(name: str) -> None:
    folder, about = folder_of(name), described(name)
    assert about["files"] == [] and about["settings"] == read_pretrained(folder).settings
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6e6
    task = read_task(folder)
    assert task is not None and list(task.levels) == about["settings"]["levels"]
    assert task.prediction_length == about["settings"]["longest_prediction"]
    # It saw no dataset of a user: every window may be held out.
    assert task.datasets() == {}


@pytest.mark.parametrize("name", names())
def test_says_how_it_was_made(name: str) -> None:
    folder = folder_of(name)
    card = (folder / "README.md").read_text()
    assert name in card and "license: apache-2.0" in card
    made = json.loads((folder / "pretraining.json").read_text())
    parts = [TrainingConfig.model_validate(part) for part in made["parts"]]
    assert [part.model.initialization for part in parts] == ["random", "pretrained", "pretrained"]
    assert all(f"{part.training.steps:,} steps" in card for part in parts) and all(
        one in card for one in made["series"]
    )

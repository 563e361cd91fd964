"""What is fetched is what the run stored: each artifact by its sha256, and none of them missing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.registry.results import fetch_run
from chronos_training.core.errors import ConfigurationError, DataError, TrainingError

BUCKET, RUN = "fetched-runs", "20260101-000000"
PREFIX = "dev/runs/2026/01/01-000000/"
FILES = {"models/mine/model.safetensors": b"weights", "report.html": b"<html>"}


@pytest.fixture
def run(s3: Any) -> Any:
    """A completed run with two artifacts and a log."""
    artifacts = [
        {"path": path, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for path, body in FILES.items()
    ]
    for path, body in {**FILES, "training.json": json.dumps({"artifacts": artifacts}).encode()}.items():
        s3.put_object(Bucket=BUCKET, Key=PREFIX + path, Body=body)
    s3.put_object(Bucket=BUCKET, Key=f"dev/logs/{RUN}/training.log", Body=b"step 1\n")
    return s3


def fetch(s3: Any, target: Path, run_id: str = RUN) -> tuple[list[str], str]:
    lines: list[str] = []
    new = fetch_run(s3, BUCKET, "dev", run_id, target, logs=True, emit=lines.append)
    return sorted(Path(path).relative_to(target).as_posix() for path in new), lines[0]


def test_every_file_comes_once(run: Any, tmp_path: Path) -> None:
    new, said = fetch(run, tmp_path)
    assert new == ["logs/training.log", "models/mine/model.safetensors", "report.html", "training.json"]
    assert said == f"4 files in {tmp_path}, 4 of them new: 2 results verified by sha256, 2 records and logs"
    assert {path: (tmp_path / path).read_bytes() for path in FILES} == FILES
    assert fetch(run, tmp_path)[0] == []


def test_a_file_that_was_changed_here_is_fetched_again(run: Any, tmp_path: Path) -> None:
    fetch(run, tmp_path)
    (tmp_path / "report.html").write_bytes(b"<html>!")
    assert fetch(run, tmp_path)[0] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == FILES["report.html"]


def test_an_artifact_that_was_changed_in_the_bucket_is_refused_and_not_kept(run: Any, tmp_path: Path) -> None:
    run.put_object(Bucket=BUCKET, Key=f"{PREFIX}report.html", Body=b"other")
    with pytest.raises(DataError, match=r"report\.html is corrupt"):
        fetch(run, tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_an_artifact_that_is_gone_from_the_bucket_is_missed(run: Any, tmp_path: Path) -> None:
    run.delete_object(Bucket=BUCKET, Key=f"{PREFIX}report.html")
    with pytest.raises(DataError, match="it stored 2 artifacts, and 1 of them is gone"):
        fetch(run, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_does_not_exist_and_one_that_cannot(run: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="There is no run 20250101-000000"):
        fetch(run, tmp_path, "20250101-000000")
    with pytest.raises(ConfigurationError, match="'newest' is not a run id"):
        fetch(run, tmp_path, "newest")

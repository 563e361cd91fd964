"""What an earlier run left is judged before anything is created: by the very fingerprint that the instance compares."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chronos_training.config import TrainingConfig
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.control.launch.lineage import checkpoints_of_run, model_of_run
from chronos_training.core.errors import ConfigurationError
from tests.run_specs import run_spec

BUCKET, RUN = "earlier-runs", "20260101-000000"
PREFIX = "dev/runs/2026/01/01-000000/"
DATA = "d" * 64


def fingerprint(data: str = DATA, base: str = "", **sections: Any) -> Fingerprint:
    return Fingerprint(TrainingConfig.model_validate(sections), data, base)


def put(s3: Any, name: str, content: Any) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    s3.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=body)


@pytest.fixture
def run(s3: Any) -> Any:
    """A run that was killed: two whole checkpoints and a torn one."""
    put(s3, "run_spec.json", run_spec(training=TrainingConfig().model_dump(mode="json")).body())
    for step in (20, 40, 60):
        body = f"weights {step}".encode()
        entry = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        put(s3, f"checkpoints/checkpoint-{step}/model.safetensors", body if step < 60 else body[:3])
        marker = {"step": step, "fingerprint": fingerprint().digest, "files": {"model.safetensors": entry}}
        put(s3, f"checkpoints/checkpoint-{step}/complete.json", marker)
    return s3


def resume(s3: Any, ours: Fingerprint, run_id: str = RUN) -> Any:
    return checkpoints_of_run(s3, BUCKET, "dev", run_id, ours)


def test_every_whole_checkpoint_is_taken_and_a_torn_one_is_not(run: Any) -> None:
    found = resume(run, fingerprint())
    assert (found.run_id, found.step) == (RUN, 40)
    assert sorted(file.path for file in found.files) == [
        f"checkpoint-{step}/{name}" for step in (20, 40) for name in ("complete.json", "model.safetensors")
    ]
    for file in found.files:
        body = run.get_object(Bucket=BUCKET, Key=found.prefix + file.path)["Body"].read()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file.size, file.sha256)


def test_what_decides_no_weight_may_differ(run: Any) -> None:
    other = fingerprint(description="again", evaluation={"report_series": 3}, run={"max_runtime_hours": 1.0})
    assert resume(run, other).step == 40


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"name": "other"}, "name"),
        ({"training": {"learning_rate": 0.001}}, "training.learning_rate"),
        ({"evaluation": {"windows": 2}}, "held_out_length"),
        ({"run": {"processes": 2}}, "run.instances x run.processes"),
        ({"run": {"instances": 2}}, "run.instances x run.processes"),
        ({"data": "e" * 64}, r"dataset \(published again since\)"),
        ({"base": "f" * 64}, "base model"),
    ],
)
def test_whatever_the_instance_would_refuse_is_refused_here(run: Any, other: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{RUN} cannot be resumed: its {says} differed at launch"):
        resume(run, fingerprint(**other))


@pytest.mark.parametrize("run_id", ["yesterday", "2026-01-01", "../../x"])
def test_a_run_id_that_is_none_is_one_sentence(run: Any, run_id: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a run id"):
        resume(run, fingerprint(), run_id)


def test_nothing_to_go_on_from(s3: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no run {RUN} in dev"):
        resume(s3, fingerprint())
    put(s3, "run_spec.json", run_spec(training={}).body())
    with pytest.raises(ConfigurationError, match="left no complete checkpoint"):
        resume(s3, fingerprint())


def test_only_a_completed_run_has_a_model_to_start_from(s3: Any) -> None:
    put(s3, "model_metadata.json", {"name": "m", "model": {"path": "models/m", "family": "chronos2"}})
    put(s3, "training.json", {"status": "killed", "artifacts": []})
    with pytest.raises(ConfigurationError, match="has no finished model"):
        model_of_run(s3, BUCKET, "dev", RUN)


def finished_autogluon_run(s3: Any, chronos: dict[str, Any] | None) -> None:
    model = {"path": "models/m", "family": "autogluon", "autogluon": {"chronos": chronos}}
    put(s3, "model_metadata.json", {"name": "m", "model": model})
    names = ("models/m/predictor.pkl", "models/m-chronos/config.json", "models/m-chronos/model.safetensors")
    artifacts = [{"path": name, "size": 1, "sha256": "a" * 64} for name in names]
    put(s3, "training.json", {"status": "completed", "artifacts": artifacts})
    put(s3, "models/m-chronos/config.json", {"d_model": 16, "chronos_config": {"input_patch_size": 7}})


def test_of_an_autogluon_run_the_fine_tuned_chronos_is_the_model_to_start_from(s3: Any) -> None:
    finished_autogluon_run(s3, {"path": "models/m-chronos", "family": "chronos2", "model": "Chronos2FineTuned"})
    found = model_of_run(s3, BUCKET, "dev", RUN)
    assert (found["family"], found["run_id"], found["settings"]["patch_size"]) == ("chronos2", RUN, 7)
    assert found["prefix"] == PREFIX + "models/m-chronos/"
    assert [file["path"] for file in found["files"]] == ["config.json", "model.safetensors"]


def test_an_autogluon_run_without_a_fine_tuned_chronos_has_nothing_to_start_from(s3: Any) -> None:
    finished_autogluon_run(s3, None)
    with pytest.raises(ConfigurationError, match=f"run {RUN} fine-tuned no Chronos model"):
        model_of_run(s3, BUCKET, "dev", RUN)

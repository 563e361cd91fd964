"""A launch plan takes the environment that the configuration's family needs, and refuses before anything is created."""

from __future__ import annotations

import json

import boto3
import numpy as np
import pandas as pd
import pytest
import yaml

from chronos_training.control.plan import make_plan
from chronos_training.control.request import LaunchRequest
from chronos_training.core.errors import ConfigurationError, TrainingError
from chronos_training.data.prepare import prepare

BUCKET = "chronos-training-local-123456789012-us-east-1"
PARAMETERS = {
    "bucket": BUCKET, "vpc_id": "vpc-1", "subnet_ids": "subnet-1", "security_group_id": "sg-1", "instance_profile": "p",
    "guard_role_arn": "arn:aws:iam::123456789012:role/g", "guard_queue_arn": "arn:aws:sqs:us-east-1:123456789012:q",
}  # fmt: skip


def pointer(kind: str) -> dict:
    return {
        "sha256": kind[0] * 64, "key": f"runtime/python-env/{kind}/env.tar.zst", "size": 10, "unpacked_size": 20,
        "image": None, "python": "3.11.7", "torch": "2.13.0+cpu", "packages": {}, "kind": kind,
    }  # fmt: skip


@pytest.fixture
def account(s3, tmp_path):
    """A provisioned account with a dataset, a published model and the environment of kind chronos."""
    ssm = boto3.client("ssm")
    for name, value in PARAMETERS.items():
        ssm.put_parameter(Name=f"/chronos-training/local/{name}", Value=value, Type="String", Overwrite=True)
    stamps = pd.date_range("2020-01-01", periods=200, freq="D")
    table = pd.DataFrame({"item_id": "a", "timestamp": stamps, "target": np.arange(200.0) % 7})
    table.to_csv(tmp_path / "panel.csv", index=False)
    prepare(str(tmp_path / "panel.csv"), "birthdays", tmp_path / "dataset")
    put(s3, "cached-datasets/birthdays/manifest.json", (tmp_path / "dataset/manifest.json").read_bytes())
    put(s3, "runtime/packages/current.json", {"sha256": "p" * 64, "key": "k", "version": "0.1.0"})
    put(s3, "runtime/python-env/current.json", pointer("chronos"))
    files = [{"path": "config.json", "size": 1, "sha256": "f" * 64}]
    model = {
        "name": "little",
        "family": "chronos_bolt",
        "digest": "d" * 64,
        "prefix": "x/",
        "settings": {},
        "files": files,
    }
    put(s3, "runtime/models/little/current.json", model)
    return s3


def put(s3, key, content) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content if isinstance(content, bytes) else json.dumps(content).encode())


def plan(tmp_path, config="autogluon_tiny_cpu", resume_run=None, **sections):
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(sections))
    request = LaunchRequest(
        env="local", region="us-east-1", project="Chronos-Training", config=config, config_file=str(mine),
        instance_types=("m5.large",), device="cpu", volume_gb=20, image_parameter="/x", price_per_hour=0.0,
        heartbeat_seconds=2, log_seconds=5, watch_seconds=20, git_commit="unknown", resume_run=resume_run,
    )  # fmt: skip
    return make_plan(request)


def test_without_its_environment_it_is_refused_with_the_command(account, tmp_path):
    with pytest.raises(TrainingError) as caught:
        plan(tmp_path)
    assert "No environment of kind autogluon is published" in str(caught.value)
    assert "ansible-playbook playbooks/publish_runtime.yml -e training_runtime_kind=autogluon" in str(caught.value)


def test_each_family_gets_the_environment_that_it_needs(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    for config, kind in (("autogluon_tiny_cpu", "autogluon"), ("birthdays_tiny_cpu", "chronos")):
        short = {} if kind == "autogluon" else {"model": {"context_length": 28}}
        made = plan(tmp_path, config, forecast={"prediction_length": 7}, **short)
        assert made.run_spec["runtime"]["python_env_sha256"] == kind[0] * 64


def test_chronos_inside_comes_from_published_weights_of_any_family(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    model = {"initialization": "pretrained", "base": "little"}
    made = plan(tmp_path, forecast={"prediction_length": 7}, model=model)
    assert made.run_spec["base_model"]["family"] == "chronos_bolt"
    assert made.run_spec["training"]["model"]["family"] == "autogluon"
    with pytest.raises(ConfigurationError, match=r"model\.base: 'litle' is not published"):
        plan(tmp_path, forecast={"prediction_length": 7}, model={**model, "base": "litle"})


def test_there_is_nothing_to_resume(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    with pytest.raises(ConfigurationError, match="AutoGluon leaves no checkpoints to go on from"):
        plan(tmp_path, resume_run="20260101-000000", forecast={"prediction_length": 7})


def test_series_that_are_too_short_are_refused(account, tmp_path):
    put(account, "runtime/python-env/autogluon.json", pointer("autogluon"))
    with pytest.raises(ConfigurationError, match="needs series of 241 observations"):
        plan(tmp_path, forecast={"prediction_length": 40}, evaluation={"windows": 4})

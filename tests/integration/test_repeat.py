"""A run is launched again from its own run spec, or refused with what is missing for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from chronos_training.control.launch.plan import Plan, make_plan
from chronos_training.control.launch.plan_text import lines
from chronos_training.control.launch.probe_plan import make_probe_plan
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.run_spec import ResumeSpec
from chronos_training.data.prepare import prepare

from .plan_account import BUCKET, IMAGE, make_account, put

SECTIONS = {"forecast": {"prediction_length": 7}, "model": {"context_length": 28}, "training": {"steps": 77}}


def publish_data(s3: Any, folder: Path, days: int = 200) -> None:
    stamps = pd.date_range("2020-01-01", periods=days, freq="D")
    table = pd.DataFrame({"item_id": "a", "timestamp": stamps, "target": np.arange(float(days)) % 7})
    table.to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "birthdays", folder / f"dataset-{days}")
    manifest = (folder / f"dataset-{days}/manifest.json").read_bytes()
    put(s3, "cached-datasets/birthdays/manifest.json", manifest)


def publish_environment(s3: Any, digest: str) -> None:
    key = f"runtime/python-env/{digest}/env.tar.zst"
    put(s3, key, b"0123456789")
    pointer = {"sha256": digest, "key": key, "size": 10, "unpacked_size": 20, "image": None, "python": "3.11.7"}
    put(s3, "runtime/python-env/current.json", {**pointer, "torch": "2.13.0+cpu", "packages": {}, "kind": "chronos"})


@pytest.fixture
def account(s3: Any, tmp_path: Path) -> Any:
    """A provisioned account with a dataset, weights and an environment."""
    make_account(s3, tmp_path)
    publish_environment(s3, "e" * 64)
    publish_weights(s3, "w")
    return s3


def publish_weights(s3: Any, letter: str) -> None:
    prefix = f"runtime/models/little/{letter * 64}/"
    put(s3, f"{prefix}config.json", b"{}")
    model = {
        "name": "little", "family": "chronos2", "digest": letter * 64, "prefix": prefix, "settings": {"patch_size": 7},
        "files": [{"path": "config.json", "size": 2, "sha256": "f" * 64}],
    }  # fmt: skip
    put(s3, "runtime/models/little/current.json", model)


def plan(own: Path | None = None, maker: Callable[[LaunchRequest], Plan] = make_plan, **fields: Any) -> Plan:
    values: dict[str, Any] = {
        "env": "local", "region": "us-east-1", "project": "Chronos-Training", "config": "birthdays_tiny_cpu",
        "config_file": str(own) if own else None, "instance_types": ("m5.large",), "device": "cpu", "volume_gb": 20,
        "image_parameter": IMAGE, "price_per_hour": 0.0, "heartbeat_seconds": 2, "log_seconds": 5, "watch_seconds": 20,
        "git_commit": "unknown",
    }  # fmt: skip
    return maker(LaunchRequest(**values | fields))


@pytest.fixture
def first(account: Any, tmp_path: Path) -> Plan:
    """A run with a configuration of its own, from published weights, as its launch stored it. Everything has changed since."""
    own = tmp_path / "mine.yaml"
    own.write_text(
        yaml.safe_dump({**SECTIONS, "model": {"context_length": 28, "initialization": "pretrained", "base": "little"}})
    )
    made = plan(own)
    put(account, made.run_spec.key, made.run_spec.body())
    own.unlink()
    publish_environment(account, "n" * 64)
    publish_weights(account, "x")
    return made


def test_everything_that_decides_the_run_is_its_own_again(account: Any, first: Plan) -> None:
    again = plan(repeat_run=first.run_id).run_spec
    for part in ("training", "dataset", "base_model", "device"):
        assert getattr(again, part) == getattr(first.run_spec, part)
    assert again.environment == first.run_spec.environment
    assert again.training["training"]["steps"] == 77
    assert again.base_digest == "w" * 64
    assert again.repeats == first.run_id
    assert any(f"configuration of run {first.run_id}" in line for line in lines(plan(repeat_run=first.run_id)))


def test_a_repetition_can_be_repeated(account: Any, first: Plan) -> None:
    again = plan(repeat_run=first.run_id)
    spec = replace(again.run_spec, run_id="20260101-000000")
    put(account, spec.key, spec.body())
    assert plan(repeat_run=spec.run_id).run_spec.training == first.run_spec.training


def refused(run_id: str, **fields: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        plan(repeat_run=run_id, **fields)
    return str(caught.value)


def test_what_is_no_longer_in_the_bucket_is_named(account: Any, first: Plan, tmp_path: Path) -> None:
    old = first.run_spec
    environment = old.environment["key"]
    account.delete_object(Bucket=BUCKET, Key=environment)
    assert f"its environment eeeeeeeeeeee is no longer in the bucket (s3://{BUCKET}/{environment})" in refused(
        first.run_id
    )
    put(account, environment, b"0123456789")
    assert old.base_model is not None
    weights = f"{old.base_model.prefix}config.json"
    account.delete_object(Bucket=BUCKET, Key=weights)
    assert f"the weights it started from are no longer in the bucket (s3://{BUCKET}/{weights})" in refused(first.run_id)
    put(account, weights, b"{}")
    publish_data(account, tmp_path, days=300)
    assert f"its dataset birthdays (digest {old.data.digest[:12]}) is no longer in the bucket" in refused(first.run_id)


def test_weights_of_the_package_are_the_same_or_it_is_another_run(account: Any, tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    from_package = {"initialization": "pretrained", "base": "builtin:chronos-2-small"}
    from_package |= {
        "patch_size": 8,
        "context_length": 32,
    }  # else those of the configuration that this one is laid over
    own.write_text(yaml.safe_dump({**SECTIONS, "model": from_package}))
    made = plan(own)
    assert any("builtin:chronos-2-small, which comes with this package" in line for line in lines(made))
    assert made.run_spec.base_model is not None
    assert made.run_spec.base_model.files == ()  # nothing to fetch from the bucket
    put(account, made.run_spec.key, made.run_spec.body())
    assert plan(repeat_run=made.run_id).run_spec.base_model == made.run_spec.base_model
    other = replace(made.run_spec, base_model=replace(made.run_spec.base_model, digest="0" * 64))
    put(account, other.key, other.body())
    assert "builtin:chronos-2-small, are others in this version of the package" in refused(made.run_id)


def test_what_would_be_another_run_is_refused(account: Any, first: Plan, tmp_path: Path) -> None:
    assert "trained on cpu, and training_launch_device is cuda" in refused(first.run_id, device="cuda")
    assert "training_launch_config_file cannot be set with it" in refused(first.run_id, config_file="mine.yaml")
    assert "training_launch_resume_run cannot be set with it" in refused(first.run_id, resume_run=first.run_id)
    assert "is not a run id" in refused("yesterday")
    assert "There is no run 20200101-000000 in local to rerun" in refused("20200101-000000")
    checkpoints = ResumeSpec("20251231-000000", "checkpoints/", 20, ())
    resumed = replace(first.run_spec, run_id="20260101-000000", resume=checkpoints)
    put(account, resumed.key, resumed.body())
    assert "it resumed run 20251231-000000" in refused("20260101-000000")


def test_a_probe_is_planned_without_data_and_cannot_be_repeated(account: Any) -> None:
    probe = plan(maker=make_probe_plan)
    assert probe.run_spec.dataset is None and probe.run_spec.runtime.python_env_sha256 == "e" * 64
    assert probe.deadline_seconds == 1800 and "at worst: $0.00" in "\n".join(lines(probe))
    put(account, probe.run_spec.key, probe.run_spec.body())
    with pytest.raises(ConfigurationError, match=r"Run \d{8}-\d{6} was a probe, which trains nothing"):
        plan(repeat_run=probe.run_id)

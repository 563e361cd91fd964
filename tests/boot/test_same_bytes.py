"""The same user data boots at every level, trains, uploads, and ends its machine."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from chronos_training.core import layout
from local_aws.levels import choice

from .conftest import Life, need
from .replay import finished, replay


def test_a_whole_life_at_level_namespace(life: Life) -> None:
    recorded = life.recorded
    assert "completed" in life.said["monitor"]
    assert "clean: nothing is running" in life.said["verify"]
    assert gzip.decompress(recorded.user_data).startswith(b"#cloud-config\n")
    run_id = recorded.record.run_id
    # The real cloud-init's own words, in the log that the instance stored.
    console = recorded.operator.log(run_id, "console")
    assert "running 'modules:final'" in console
    assert "WARNING: Invalid cloud-config" not in console


LEVELS = [
    pytest.param("process", marks=pytest.mark.long),
    pytest.param("nspawn", marks=pytest.mark.boot),
    pytest.param("qemu", marks=[pytest.mark.qemu, pytest.mark.timeout(1800)]),
]


@pytest.mark.parametrize("level", LEVELS)
def test_its_user_data_boots_at_the_other_levels_too(life: Life, level: str, tmp_path, request) -> None:
    need(choice.named(level))
    recorded = life.recorded
    operator, instance_id = replay(recorded, tmp_path / "home", level)
    request.addfinalizer(operator.aws.stop)
    assert operator.aws.server.level == level
    run_id = recorded.record.run_id
    archived = finished(operator, run_id, instance_id, seconds=1500 if level == "qemu" else 300)
    assert (archived["status"], archived["instance_id"]) == ("completed", instance_id), archived
    assert operator.aws.instance(instance_id)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert operator.state() is None
    prefix = layout.run_prefix("local", run_id)
    for artifact in operator.artifact(run_id, "training.json")["artifacts"]:
        body = operator.s3.get_object(Bucket=operator.bucket, Key=prefix + artifact["path"])["Body"].read()
        assert hashlib.sha256(body).hexdigest() == artifact["sha256"]
    assert "step results_sync" in operator.log(run_id, "pipeline")

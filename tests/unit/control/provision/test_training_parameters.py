"""The SSM parameters of an environment: written once, repaired, removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chronos_training.control.provision import parameters

PATH = "/chronos-training/dev/"
VALUES = {"vpc_id": "vpc-1", "subnet_ids": "subnet-1,subnet-2", "bucket": "b"}
TAGS = {"Project": "Chronos-Training", "Environment": "dev"}


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


def write(ssm: Any, values: dict[str, str] = VALUES, *, check_mode: bool = False) -> dict[str, Any]:
    return parameters.ensure_present(ssm, PATH, values, TAGS, check_mode=check_mode)


def test_written_once_with_types_and_tags(ssm: Any) -> None:
    assert write(ssm)["changed"]
    assert write(ssm)["changed"] is False
    assert ssm.get_parameter(Name=PATH + "subnet_ids")["Parameter"]["Type"] == "StringList"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=PATH + "bucket")["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS


def test_check_mode_writes_nothing(ssm: Any) -> None:
    assert write(ssm, check_mode=True)["diff"]["after"][PATH + "bucket"] == "b"
    assert parameters.read(ssm, PATH) == {}


def test_a_changed_value_and_a_lost_tag_are_repaired(ssm: Any) -> None:
    write(ssm)
    ssm.put_parameter(Name=PATH + "bucket", Value="wrong", Type="String", Overwrite=True)
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=PATH + "vpc_id", TagKeys=["Project"])
    result = write(ssm)
    assert result["diff"] == {"before": {PATH + "bucket": "wrong"}, "after": {PATH + "bucket": "b"}}
    assert write(ssm)["changed"] is False


def test_absent_removes_more_than_one_call_can_and_leaves_other_environments(ssm: Any) -> None:
    write(ssm, {f"p{n}": "x" for n in range(12)})
    ssm.put_parameter(Name="/chronos-training/prod/bucket", Value="b", Type="String")
    assert parameters.ensure_absent(ssm, PATH, check_mode=True)["changed"]
    assert len(parameters.read(ssm, PATH)) == 12
    assert parameters.ensure_absent(ssm, PATH, check_mode=False)["changed"]
    assert parameters.ensure_absent(ssm, PATH, check_mode=False)["changed"] is False
    assert parameters.read(ssm, "/chronos-training/prod/") == {"bucket": "b"}

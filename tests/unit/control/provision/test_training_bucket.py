"""The bucket of an environment: made right in one pass, previewed truthfully, deleted whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chronos_training.control.provision import bucket
from chronos_training.core.errors import TrainingError

NAME = "chronos-training-dev-123456789012-us-east-1"
TAGS = {"Project": "Chronos-Training", "Environment": "dev", "CostCenter": "research", "ManagedBy": "Ansible"}
WANT = bucket.wanted("dev", NAME, TAGS, bucket.Lifecycle())


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1")


def make(s3: Any, *, check_mode: bool = False) -> dict[str, Any]:
    return bucket.ensure_present(s3, NAME, "us-east-1", WANT, check_mode=check_mode)


def test_a_new_bucket_gets_every_aspect_and_a_second_pass_changes_nothing(s3: Any) -> None:
    first = make(s3)
    assert first["changed"] and set(first["aspects"]) == set(bucket.ASPECTS)
    assert bucket.describe(s3, NAME) == WANT
    second = make(s3)
    assert (second["changed"], second["aspects"]) == (False, [])


def test_check_mode_says_what_would_be_made_and_makes_nothing(s3: Any) -> None:
    preview = make(s3, check_mode=True)
    assert preview["changed"] and preview["diff"]["after"]["encryption"] == "AES256"
    assert "does not exist" in preview["diff"]["before_header"]
    assert s3.list_buckets()["Buckets"] == []


def test_only_what_drifted_is_written_and_shown(s3: Any) -> None:
    make(s3)
    s3.delete_public_access_block(Bucket=NAME)
    preview = make(s3, check_mode=True)
    assert preview["aspects"] == ["public_access_block"]
    assert preview["diff"]["before"] == {"public_access_block": None}
    assert make(s3)["aspects"] == ["public_access_block"]
    assert bucket.describe(s3, NAME) == WANT


def test_tags_of_others_stay(s3: Any) -> None:
    make(s3)
    tags = [{"Key": key, "Value": value} for key, value in {**TAGS, "Owner": "ada"}.items()]
    s3.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": tags})
    assert make(s3)["changed"] is False


def test_lifecycle_is_what_c1_says() -> None:
    rules = {rule["Filter"]["Prefix"]: rule for rule in WANT["lifecycle"]}
    assert set(rules) == {"dev/logs/", "dev/runs/", "dev/.probe-"}
    assert rules["dev/.probe-"]["Expiration"] == {"Days": 1}
    assert rules["dev/logs/"]["Expiration"] == {"Days": 14}
    assert rules["dev/runs/"]["Expiration"] == {"Days": 90}
    assert rules["dev/runs/"]["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    assert all(rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7} for rule in rules.values())


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({"runs_standard_ia_days": 7}, "STANDARD_IA after 30 days"),
        ({"runs_expire_days": 30}, "not after"),
        ({"logs_expire_days": 0}, "a whole number of days, at least 1"),
    ],
)
def test_days_that_s3_would_refuse_are_refused_before_any_call(days: dict[str, int], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        bucket.Lifecycle(**days)


def test_absent_deletes_every_version_and_can_be_repeated(s3: Any) -> None:
    s3.create_bucket(Bucket=NAME)
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=NAME, Key="dev/runs/x", Body=body)
    s3.delete_object(Bucket=NAME, Key="dev/runs/x")
    assert bucket.ensure_absent(s3, NAME, check_mode=True) == {"changed": True, "objects": 3}
    assert bucket.ensure_absent(s3, NAME, check_mode=False) == {"changed": True, "objects": 3}
    assert bucket.ensure_absent(s3, NAME, check_mode=False) == {"changed": False, "objects": 0}


def test_a_bucket_in_another_region_is_made_there(s3: Any) -> None:
    abroad = boto3.client("s3", region_name="eu-west-1")
    bucket.ensure_present(abroad, NAME, "eu-west-1", WANT, check_mode=False)
    assert abroad.get_bucket_location(Bucket=NAME)["LocationConstraint"] == "eu-west-1"

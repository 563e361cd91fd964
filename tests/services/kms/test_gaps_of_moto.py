"""What moto still lacks without us. A test that fails here means that moto has closed the gap: take our patch away."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws


@pytest.fixture
def stock(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def test_a_disabled_key_encrypts_and_decrypts(stock):
    kms = stock("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_key_cannot_be_disabled_by_its_arn(stock):
    kms = stock("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    for call in (kms.disable_key, kms.enable_key, kms.schedule_key_deletion):
        with pytest.raises(KeyError):
            call(KeyId=key)


def test_an_object_can_be_under_a_key_that_is_not_there(stock):
    s3 = stock("s3")
    s3.create_bucket(Bucket="sealed")
    s3.put_object(Bucket="sealed", Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="nobodys")
    assert s3.get_object(Bucket="sealed", Key="a")["Body"].read() == b"x"


def test_a_key_is_still_there_after_its_waiting_period(stock):
    import datetime

    from moto.kms.models import kms_backends

    kms = stock("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    found = kms_backends["123456789012"]["us-east-1"].keys[key]
    found.deletion_date -= datetime.timedelta(days=30)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"

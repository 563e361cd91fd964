"""Conditions of bucket policies are evaluated; the stored policy stays what it was."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws


def policy(**condition) -> dict:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    resources = ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"]
    return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": resources, "Condition": condition}]}


def test_a_tls_only_policy_lets_objects_through_and_is_returned_unchanged(aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="guarded")
    text = json.dumps(policy(Bool={"aws:SecureTransport": "false"}))
    s3.put_bucket_policy(Bucket="guarded", Policy=text)
    s3.put_object(Bucket="guarded", Key="a", Body=b"x")
    assert s3.get_object(Bucket="guarded", Key="a")["Body"].read() == b"x"
    s3.copy_object(Bucket="guarded", Key="b", CopySource="guarded/a")
    assert "Errors" not in s3.delete_objects(Bucket="guarded", Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert json.loads(s3.get_bucket_policy(Bucket="guarded")["Policy"]) == json.loads(text)


def test_a_deny_that_applies_still_denies(aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="guarded")
    s3.put_object(Bucket="guarded", Key="a", Body=b"x")
    unencrypted = policy(StringNotEquals={"s3:x-amz-server-side-encryption": "AES256"})
    unencrypted["Statement"][0]["Action"] = "s3:PutObject"
    s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps(unencrypted))
    s3.put_object(Bucket="guarded", Key="a", Body=b"y", ServerSideEncryption="AES256")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="guarded", Key="a", Body=b"z")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    del unencrypted["Statement"][0]["Condition"]
    unencrypted["Statement"][0]["Action"] = "s3:GetObject"
    s3.put_bucket_policy(Bucket="guarded", Policy=json.dumps(unencrypted))
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="guarded", Key="a")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403

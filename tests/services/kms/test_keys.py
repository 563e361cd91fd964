"""Keys: who may use them, and which can be used."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

ACCOUNT = "123456789012"
DAY = 86400.0


def allow(*actions: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def key_policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


@pytest.fixture
def key(aws: EmbeddedAws) -> str:
    return str(aws.client("kms").create_key()["KeyMetadata"]["Arn"])


def refused(call: Any, code: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_iam_policies_count_where_the_key_policy_leaves_it_to_them(aws: EmbeddedAws, key: str) -> None:
    may = aws.client("kms", credentials=aws.new_user("may", use=allow("kms:Encrypt", resource=key)))
    may.encrypt(KeyId=key, Plaintext=b"x")
    refused(
        may.decrypt, "AccessDeniedException", CiphertextBlob=may.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    )


def test_a_key_policy_that_names_no_account_shuts_out_every_iam_policy(aws: EmbeddedAws, key: str) -> None:
    shut_out = aws.client("kms", credentials=aws.new_user("out", use=allow("kms:*")))
    aws.new_user("named")
    named = aws.client("kms", credentials=aws.client("iam").create_access_key(UserName="named")["AccessKey"])
    statement = {"Effect": "Allow", "Principal": {"AWS": user_arn("named")}, "Action": "kms:Encrypt", "Resource": "*"}
    aws.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=key_policy(statement))
    named.encrypt(KeyId=key, Plaintext=b"x")
    refused(shut_out.encrypt, "AccessDeniedException", KeyId=key, Plaintext=b"x")


def test_an_alias_is_its_key_for_the_policies(aws: EmbeddedAws, key: str) -> None:
    aws.client("kms").create_alias(AliasName="alias/mine", TargetKeyId=key)
    may = aws.client("kms", credentials=aws.new_user("may", use=allow("kms:Encrypt", resource=key)))
    assert may.encrypt(KeyId="alias/mine", Plaintext=b"x")["KeyId"] == key
    other = aws.new_user("other", use=allow("kms:Encrypt", resource="arn:aws:kms:us-east-1:123456789012:alias/mine"))
    refused(aws.client("kms", credentials=other).encrypt, "AccessDeniedException", KeyId="alias/mine", Plaintext=b"x")


def test_a_condition_on_the_encryption_context(aws: EmbeddedAws, key: str) -> None:
    policy = allow("kms:Encrypt", resource=key, StringEquals={"kms:EncryptionContext:purpose": "test"})
    may = aws.client("kms", credentials=aws.new_user("may", use=policy))
    may.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "test"})
    other = {"purpose": "other"}
    refused(may.encrypt, "AccessDeniedException", KeyId=key, Plaintext=b"x", EncryptionContext=other)


def test_a_disabled_key_does_nothing_until_it_is_enabled(aws: EmbeddedAws, key: str) -> None:
    kms = aws.client("kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    refused(kms.encrypt, "DisabledException", KeyId=key, Plaintext=b"x")
    refused(kms.decrypt, "DisabledException", CiphertextBlob=blob)
    refused(kms.generate_data_key, "DisabledException", KeyId=key, KeySpec="AES_256")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_key_is_deleted_when_its_days_are_over(aws: EmbeddedAws, key: str) -> None:
    kms = aws.client("kms")
    kept = kms.create_key()["KeyMetadata"]["KeyId"]
    for one in (key, kept):
        kms.schedule_key_deletion(KeyId=one, PendingWindowInDays=7)
    refused(kms.encrypt, "KMSInvalidStateException", KeyId=key, Plaintext=b"x")
    kms.cancel_key_deletion(KeyId=kept)
    aws.advance(6.9 * DAY)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    aws.advance(0.2 * DAY)
    refused(kms.describe_key, "NotFoundException", KeyId=key)
    assert kms.describe_key(KeyId=kept)["KeyMetadata"]["KeyState"] == "Disabled"


class TestObjects:
    @pytest.fixture
    def bucket(self, aws: EmbeddedAws, key: str) -> str:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="sealed")
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        s3.put_bucket_encryption(Bucket="sealed", ServerSideEncryptionConfiguration={"Rules": [rule]})
        return "sealed"

    def user(self, aws: EmbeddedAws, name: str, *actions: str, key: str) -> Any:
        policies = {"s3": allow("s3:PutObject", "s3:GetObject", "s3:ListBucket")}
        if actions:
            policies["kms"] = allow(*actions, resource=key)
        return aws.client("s3", credentials=aws.new_user(name, **policies))

    def test_the_buckets_key_is_used_without_being_named(self, aws: EmbeddedAws, bucket: str, key: str) -> None:
        writes = self.user(aws, "writes", "kms:GenerateDataKey", key=key)
        reads = self.user(aws, "reads", "kms:Decrypt", key=key)
        neither = self.user(aws, "neither", key=key)
        answer = writes.put_object(Bucket=bucket, Key="a", Body=b"x")
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key)
        assert reads.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"
        refused(writes.get_object, "AccessDenied", Bucket=bucket, Key="a")
        refused(reads.put_object, "AccessDenied", Bucket=bucket, Key="a", Body=b"y")
        said = refused(neither.put_object, "AccessDenied", Bucket=bucket, Key="a", Body=b"y")
        assert "kms:GenerateDataKey" in said

    def test_several_parts_need_decrypt_too(self, aws: EmbeddedAws, bucket: str, key: str) -> None:
        writes = self.user(aws, "writes", "kms:GenerateDataKey", key=key)
        refused(writes.create_multipart_upload, "AccessDenied", Bucket=bucket, Key="a")
        both = self.user(aws, "both", "kms:GenerateDataKey", "kms:Decrypt", key=key)
        both.create_multipart_upload(Bucket=bucket, Key="a")

    def test_a_policy_can_ask_for_the_way_by_s3(self, aws: EmbeddedAws, bucket: str, key: str) -> None:
        by_s3 = allow(
            "kms:GenerateDataKey", resource=key, StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"}
        )
        keys = aws.new_user("via", s3=allow("s3:PutObject"), kms=by_s3)
        aws.client("s3", credentials=keys).put_object(Bucket=bucket, Key="a", Body=b"x")
        direct = aws.client("kms", credentials=keys)
        refused(direct.generate_data_key, "AccessDeniedException", KeyId=key, KeySpec="AES_256")

    def test_a_bucket_policy_demands_the_key(self, aws: EmbeddedAws, bucket: str, key: str) -> None:
        s3 = aws.client("s3")
        deny = {
            "Sid": "OnlyThatKey", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}},
        }  # fmt: skip
        s3.put_bucket_policy(Bucket=bucket, Policy=key_policy(deny))
        refused(s3.put_object, "AccessDenied", Bucket=bucket, Key="a", Body=b"x")
        refused(s3.put_object, "AccessDenied", Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="AES256")
        s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)

    def test_objects_of_a_disabled_or_missing_key_are_out_of_reach(
        self, aws: EmbeddedAws, bucket: str, key: str
    ) -> None:
        s3 = aws.client("s3")
        s3.put_object(Bucket=bucket, Key="a", Body=b"x")
        aws.client("kms").disable_key(KeyId=key)
        refused(s3.get_object, "KMS.DisabledException", Bucket=bucket, Key="a")
        refused(s3.put_object, "KMS.DisabledException", Bucket=bucket, Key="b", Body=b"x")
        nobodys = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "11111111-2222-3333-4444-555555555555"}
        refused(s3.put_object, "KMS.NotFoundException", Bucket=bucket, Key="b", Body=b"x", **nobodys)

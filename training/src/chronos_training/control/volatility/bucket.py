"""The volatility stack's bucket: versions, our own key, and a policy that refuses what comes without TLS or under another key.

The collections' modules for buckets and lifecycles have no check mode (see `control.provision.bucket`).
"""

from __future__ import annotations

from typing import Any

from chronos_training.control.provision import bucket as training
from chronos_training.core.aws_types import S3Client

# Tables and models are never rewritten: a version that is no longer the current one was replaced or deleted by a person, and is
# kept for so long.
_KEPT_DAYS = 30
_HEADER = "s3:x-amz-server-side-encryption"


def wanted(bucket: str, key_arn: str, tags: dict[str, str], *, snapshot_days: int, upload_days: int) -> dict[str, Any]:
    """Return how the bucket must be, aspect by aspect."""
    return {
        "public_access_block": dict.fromkeys(training.PUBLIC_ACCESS_BLOCK, True),
        "ownership": "BucketOwnerEnforced",
        "versioning": "Enabled",
        "encryption": {"key": key_arn, "bucket_key": True},
        "lifecycle": [
            {
                "ID": "leftovers",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": _KEPT_DAYS},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": upload_days},
            },
            # All partitions of a table in one object: about a year after it there is a newer one, and it adds nothing.
            {
                "ID": "snapshots",
                "Status": "Enabled",
                "Filter": {"Prefix": "snapshots/"},
                "Expiration": {"Days": snapshot_days},
            },
        ],
        "tags": tags,
        "policy": policy(bucket, key_arn),
    }


def policy(bucket: str, key_arn: str) -> dict[str, Any]:
    """Return the bucket's policy. It allows nobody anything, and denies everybody the same.

    A request without the header gets the bucket's own encryption, so only one that names another is refused. A negated
    operator holds for a key that is missing, hence the `Null`:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """

    def deny(sid: str, header: str, operator: str, value: str) -> dict[str, Any]:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"Null": {header: "false"}, operator: {header: value}},
        }

    document = training.tls_only(bucket)
    document["Statement"] += [
        deny("DenyAnotherEncryption", _HEADER, "StringNotEquals", "aws:kms"),
        deny("DenyAnotherKey", f"{_HEADER}-aws-kms-key-id", "ArnNotEquals", key_arn),
    ]
    return document


def ensure_present(s3: S3Client, bucket: str, region: str, want: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make the bucket as `want` says; write only the aspects that differ. Returns changed, aspects, diff."""
    return training.ensure_present(s3, bucket, region, want, check_mode=check_mode, aspects=ASPECTS)


def _encryption(answer: dict[str, Any]) -> dict[str, Any]:
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    key = rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID", "")
    return {"key": key, "bucket_key": bool(rule.get("BucketKeyEnabled"))}


def _encrypt(s3: S3Client, bucket: str, value: dict[str, Any]) -> None:
    by_default: dict[str, Any] = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": value["key"]}
    rule: Any = {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": value["bucket_key"]}
    configuration: Any = {"Rules": [rule]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=configuration)


ASPECTS: dict[str, training.Aspect] = {
    "public_access_block": training.ASPECTS["public_access_block"],
    "ownership": training.ASPECTS["ownership"],
    "versioning": training.Aspect(
        lambda s3, bucket: s3.get_bucket_versioning(Bucket=bucket).get("Status"),
        lambda s3, bucket, value: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": value}),
    ),
    "encryption": training.Aspect(
        training.reader("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError", _encryption),
        _encrypt,
    ),
    "lifecycle": training.ASPECTS["lifecycle"],
    "tags": training.ASPECTS["tags"],
    "policy": training.ASPECTS["policy"],
}

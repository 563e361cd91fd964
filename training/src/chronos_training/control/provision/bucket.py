"""The environment's bucket: describe it, make it right, delete it. One pass instead of three modules.

`amazon.aws.s3_bucket` and `community.aws.s3_lifecycle` have no check mode: Ansible skips them silently, so a preview
would not show a public bucket being closed. Here the same table of aspects serves the preview, the change and the check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.errors import ConfigurationError, PermissionDenied, TrainingError
from chronos_training.core.objects import delete_objects
from chronos_training.core.probe import probe_prefix

Described = dict[str, Any]
PUBLIC_ACCESS_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# S3 refuses a transition to STANDARD_IA before an object is 30 days old (design §7).
EARLIEST_STANDARD_IA_DAYS = 30


@dataclass(frozen=True)
class Lifecycle:
    """Days of the lifecycle rules for logs and runs (C1)."""

    logs_expire_days: int = 14
    runs_standard_ia_days: int = 30
    runs_expire_days: int = 90
    abort_multipart_days: int = 7

    def __post_init__(self) -> None:
        """Refuse what S3 would refuse, with the name of the variable. ConfigurationError."""
        told = self.problems(vars(self))
        if told:
            raise ConfigurationError(" ".join(told))

    @staticmethod
    def problems(days: Mapping[str, int]) -> list[str]:
        """Return a sentence for each of the days, by their names here, that S3 would refuse."""
        told = [
            f"training_storage_{name} is {value}: it must be a whole number of days, at least 1; for example {default}."
            for name, default in _DEFAULT_DAYS.items()
            if (value := days[name]) < 1 or value > _MOST_DAYS
        ]
        move, expire = days["runs_standard_ia_days"], days["runs_expire_days"]
        if move < EARLIEST_STANDARD_IA_DAYS:
            told.append(
                f"training_storage_runs_standard_ia_days is {move}: S3 moves objects to STANDARD_IA after "
                f"{EARLIEST_STANDARD_IA_DAYS} days at the earliest; for example {EARLIEST_STANDARD_IA_DAYS}."
            )
        if expire <= move:
            told.append(
                f"training_storage_runs_expire_days is {expire}, not after training_storage_runs_standard_ia_days ({move}): "
                f"objects must expire later than they move to STANDARD_IA; for example {max(move, 30) + 60}."
            )
        return told


_DEFAULT_DAYS = {field.name: field.default for field in fields(Lifecycle)}
# S3 takes a positive 32-bit integer.
_MOST_DAYS = 2**31 - 1


def wanted(env: str, bucket: str, tags: dict[str, str], lifecycle: Lifecycle) -> Described:
    """Return how the bucket must be, aspect by aspect, in the shape that `describe` returns."""
    return {
        "public_access_block": dict.fromkeys(PUBLIC_ACCESS_BLOCK, True),
        "ownership": "BucketOwnerEnforced",
        "encryption": "AES256",
        "lifecycle": [
            _rule("logs", f"{env}/logs/", lifecycle.abort_multipart_days, lifecycle.logs_expire_days),
            # What a probe of the conditional writes leaves behind when it dies.
            _rule("probes", probe_prefix(env), lifecycle.abort_multipart_days, 1),
            _rule("runs", layout.runs_prefix(env), lifecycle.abort_multipart_days, lifecycle.runs_expire_days)
            | {"Transitions": [{"Days": lifecycle.runs_standard_ia_days, "StorageClass": "STANDARD_IA"}]},
        ],
        "tags": tags,
        "policy": tls_only(bucket),
    }


def tls_only(bucket: str) -> dict[str, Any]:
    """Return the bucket policy that denies every request without TLS (R32)."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyWithoutTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def _rule(name: str, prefix: str, abort_days: int, expire_days: int) -> dict[str, Any]:
    return {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": expire_days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": abort_days},
    }


def region_of(s3: S3Client, bucket: str) -> str | None:
    """Return the bucket's region, or None when it does not exist. TrainingError when it is another's."""
    with aws.explained(f"inspect the bucket {bucket}"):
        try:
            return str(s3.head_bucket(Bucket=bucket).get("BucketRegion") or s3.meta.region_name)
        except s3.exceptions.ClientError as error:
            if aws.error_code(error) in ("404", "NoSuchBucket"):
                return None
            if aws.error_code(error) == "403":
                raise _closed(s3, bucket) from error
            raise


def describe(s3: S3Client, bucket: str, aspects: Mapping[str, Aspect] | None = None) -> Described | None:
    """Return the bucket's aspects as they are, or None when it does not exist. TrainingError when it is another's."""
    if region_of(s3, bucket) is None:
        return None
    with aws.explained(f"inspect the bucket {bucket}"):
        return {name: aspect.read(s3, bucket) for name, aspect in (aspects or ASPECTS).items()}


def _closed(s3: S3Client, bucket: str) -> TrainingError:
    """Return what a 403 to HeadBucket means, which S3 answers for another account's bucket and for a missing permission."""
    sentence = f"The bucket {bucket} exists, but these credentials have no access to it (403)"
    try:
        ours = any(one["Name"] == bucket for one in s3.list_buckets()["Buckets"])
    except s3.exceptions.ClientError:
        return TrainingError(
            f"{sentence}.",
            hint="It belongs to another account (then set training_bucket to another name), or s3:ListBucket is missing.",
            code="configuration_invalid",
        )
    if ours:
        return PermissionDenied(f"{sentence}: it belongs to this account, so permission for s3:ListBucket is missing.")
    return TrainingError(
        f"{sentence}: it belongs to another account.",
        hint="Set training_bucket to another name.",
        code="configuration_invalid",
    )


def ensure_present(
    s3: S3Client,
    bucket: str,
    region: str,
    want: Described,
    *,
    check_mode: bool,
    aspects: Mapping[str, Aspect] | None = None,
) -> dict[str, Any]:
    """Make the bucket as `want` says; write only the aspects that differ. Returns changed, aspects, diff."""
    aspects = aspects or ASPECTS
    before = describe(s3, bucket, aspects)
    now: Described = before or {}
    # Tags of others stay: a person's cost report may need them.
    want = want | {"tags": {**(now.get("tags") or {}), **want["tags"]}}
    differing = [name for name in aspects if now.get(name) != want[name]]
    if not check_mode:
        if before is None:
            _create(s3, bucket, region)
        for name in differing:
            with aws.explained(f"set {name} of the bucket {bucket}"):
                aspects[name].write(s3, bucket, want[name])
    return {
        "changed": bool(before is None or differing),
        "aspects": differing,
        "diff": {
            "before_header": f"s3://{bucket}" if before is not None else f"s3://{bucket} (does not exist)",
            "after_header": f"s3://{bucket}",
            "before": {name: now[name] for name in differing if name in now},
            "after": {name: want[name] for name in differing},
        },
    }


def ensure_absent(s3: S3Client, bucket: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete the bucket with everything in it. Returns changed and the number of objects deleted. Cannot be undone."""
    with aws.explained(f"delete the bucket {bucket}"):
        try:
            s3.head_bucket(Bucket=bucket)
        except s3.exceptions.ClientError as error:
            if aws.error_code(error) in ("404", "NoSuchBucket"):
                return {"changed": False, "objects": 0}
            raise
        count = 0
        # Versions too: somebody may have switched versioning on, and then a bucket of "no objects" is still not empty.
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
            count += len(versions)
            if versions and not check_mode:
                delete_objects(s3, bucket, [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions])
        if not check_mode:
            s3.delete_bucket(Bucket=bucket)
    return {"changed": True, "objects": count}


def _create(s3: S3Client, bucket: str, region: str) -> None:
    # us-east-1 is the one region that must not be named.
    where: dict[str, Any] = (
        {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    with aws.explained(f"create the bucket {bucket}"):
        s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **where)
        s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig={"Delay": 2, "MaxAttempts": 30})


@dataclass(frozen=True)
class Aspect:
    """One property of a bucket: how to read it (None when never set) and how to write it."""

    read: Callable[[Any, str], Any]
    write: Callable[[Any, str, Any], Any]


def reader(method: str, absent: str, pick: Callable[[dict[str, Any]], Any]) -> Callable[[Any, str], Any]:
    """Return a reader that calls `method`, picks the value, and says None for the error code `absent`."""

    def read(s3: S3Client, bucket: str) -> Any:
        try:
            return pick(getattr(s3, method)(Bucket=bucket))
        except s3.exceptions.ClientError as error:
            if aws.error_code(error) == absent:
                return None
            raise

    return read


def _normalized_rules(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rules by ID. S3 reports a prefix either in Filter or, for old rules, beside it."""
    rules = [rule | {"Filter": rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}} for rule in answer["Rules"]]
    for rule in rules:
        rule.pop("Prefix", None)
    return sorted(rules, key=lambda rule: str(rule.get("ID", "")))


def _algorithm(answer: dict[str, Any]) -> str:
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    return str(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])


# In the order of writing: the public access block first, so that the bucket is never open.
ASPECTS: dict[str, Aspect] = {
    "public_access_block": Aspect(
        reader(
            "get_public_access_block",
            "NoSuchPublicAccessBlockConfiguration",
            lambda a: {key: a["PublicAccessBlockConfiguration"].get(key, False) for key in PUBLIC_ACCESS_BLOCK},
        ),
        lambda s3, bucket, value: s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=value),
    ),
    "ownership": Aspect(
        reader(
            "get_bucket_ownership_controls",
            "OwnershipControlsNotFoundError",
            lambda a: a["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        ),
        lambda s3, bucket, value: s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": value}]}
        ),
    ),
    "encryption": Aspect(
        reader("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError", _algorithm),
        lambda s3, bucket, value: s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": value}}]
            },
        ),
    ),
    "lifecycle": Aspect(
        reader("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration", _normalized_rules),
        lambda s3, bucket, value: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": value}
        ),
    ),
    "tags": Aspect(
        reader("get_bucket_tagging", "NoSuchTagSet", lambda a: {t["Key"]: t["Value"] for t in a["TagSet"]}),
        lambda s3, bucket, value: s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in value.items()]}
        ),
    ),
    "policy": Aspect(
        reader("get_bucket_policy", "NoSuchBucketPolicy", lambda a: json.loads(a["Policy"])),
        lambda s3, bucket, value: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(value)),
    ),
}

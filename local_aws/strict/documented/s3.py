"""What S3 refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_LONGEST_KEY = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
_LARGEST_BUCKET_POLICY = 20 * 1024
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
_EARLIEST_STANDARD_IA = 30


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    bucket = given.get("Bucket", "")
    if bucket and not bucket.startswith("arn:") and not bucket_name_is_right(bucket):
        yield Refusal("InvalidBucketName", "The specified bucket is not valid.")
    if len(given.get("Key", "").encode()) > _LONGEST_KEY:
        yield Refusal("KeyTooLongError", "Your key is too long")
    if action in ("PutBucketTagging", "PutObjectTagging"):
        yield from tag_refusals(given.get("Tagging", {}).get("TagSet", []), "InvalidTag", unique=True)
    if action == "PutBucketPolicy" and len(str(given.get("Policy", "")).encode()) > _LARGEST_BUCKET_POLICY:
        yield Refusal("PolicyTooLarge", "Policies must not exceed the maximum allowed size of 20 KB")
    if action == "PutBucketLifecycleConfiguration":
        yield from _lifecycle(given.get("LifecycleConfiguration", {}).get("Rules", []))


def bucket_name_is_right(name: str) -> bool:
    """Return whether S3 would make a general purpose bucket of this name."""
    return (
        _BUCKET.fullmatch(name) is not None
        and ".." not in name
        and not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)
        and not name.startswith(_BUCKET_PREFIXES)
        and not name.endswith(_BUCKET_SUFFIXES)
    )


def _lifecycle(rules: list[Parameters]) -> Iterator[Refusal]:
    for rule in rules:
        expires = rule.get("Expiration", {}).get("Days")
        abort = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        if any(days is not None and int(days) < 1 for days in (expires, abort)):
            yield Refusal("InvalidArgument", "'Days' for Expiration action must be a positive integer")
        for move in rule.get("Transitions", []):
            days = int(move.get("Days", 0))
            if move.get("StorageClass") == "STANDARD_IA" and days < _EARLIEST_STANDARD_IA:
                said = f"'Days' in Transition action must be greater than or equal to {_EARLIEST_STANDARD_IA} for storageClass 'STANDARD_IA'"
                yield Refusal("InvalidArgument", said)
            if expires is not None and int(expires) <= days:
                yield Refusal(
                    "InvalidArgument", "'Days' in the Expiration action must be greater than 'Days' in the Transition"
                )

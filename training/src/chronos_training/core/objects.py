"""Small S3 objects as bytes and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from . import aws
from .aws_types import ObjectIdentifier, S3Client
from .errors import TrainingError


class NotOurs(TrainingError):
    """The object is there, but is not what this program writes at its key."""

    code = "record_invalid"


_ABSENT = {"404", "NoSuchKey", "NotFound"}
_DENIED = {"403", "AccessDenied"}


def says_absent(s3: S3Client, bucket: str, key: str, error: ClientError) -> bool:
    """Return whether `error`, the answer to a GET or HEAD of `key`, means that there is no such object.

    To a principal that may list only below a prefix (C3) S3 answers 403 for an absent key, not 404; a listing tells.
    """
    code = aws.error_code(error)
    if code not in _DENIED:
        return code in _ABSENT
    try:
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    except (ClientError, BotoCoreError, ResponseParserError):
        return False
    return all(entry["Key"] != key for entry in answer.get("Contents", []))


# botocore repeats a request that was not answered, but not one whose answer was cut off in the middle of the body.
ATTEMPTS = 5
DELETE_AT_ONCE = 1000  # the most that one DeleteObjects takes
BROKEN_OFF = (HTTPClientError, ResponseStreamingError, IncompleteReadError)


def get_bytes(s3: S3Client, bucket: str, key: str) -> bytes:
    """Return the whole object at `key`, read again when the line broke. Raises botocore's errors."""
    for attempt in range(ATTEMPTS):
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return body
        except BROKEN_OFF:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")


def read_bytes(s3: S3Client, bucket: str, key: str) -> bytes | None:
    """Return the object at `key`, or None when there is none. TrainingError when S3 refuses."""
    with aws.explained(f"read s3://{bucket}/{key}"):
        try:
            return get_bytes(s3, bucket, key)
        except ClientError as error:
            if says_absent(s3, bucket, key, error):
                return None
            raise


def read_json(s3: S3Client, bucket: str, key: str) -> dict[str, Any] | None:
    """Return the JSON object at `key`, or None when there is none. NotOurs when it is something else."""
    body = read_bytes(s3, bucket, key)
    if body is None:
        return None
    try:
        content = json.loads(body)
        if not isinstance(content, dict):
            raise ValueError("not an object")
    except ValueError as error:
        raise NotOurs(
            f"s3://{bucket}/{key} is not in the form that this program writes: {error}.",
            hint="Inspect it; delete it to have it written again.",
        ) from error
    return content


def delete_objects(s3: S3Client, bucket: str, objects: Sequence[ObjectIdentifier]) -> None:
    """Delete `objects` (each with Key, perhaps VersionId), a thousand a request. TrainingError naming the first that stays.

    S3 answers 200 to a request of which it deleted nothing, and lists what it refused.
    """
    for begin in range(0, len(objects), DELETE_AT_ONCE):
        batch = list(objects[begin : begin + DELETE_AT_ONCE])
        with aws.explained(f"delete objects of the bucket {bucket}"):
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors", [])
        if errors:
            first = errors[0]
            raise TrainingError(
                f"Could not delete {len(errors)} objects of the bucket {bucket}; the first: {first['Key']}: "
                f"{first.get('Message') or first.get('Code', '')}."
            )


def age_seconds(s3: S3Client, bucket: str, key: str) -> float | None:
    """Return how long ago the object at `key` was written, by S3's own clock; None when there is none."""
    with aws.explained(f"look at s3://{bucket}/{key}"):
        try:
            found = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if says_absent(s3, bucket, key, error):
                return None
            raise
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    return max(0.0, float((now - found["LastModified"]).total_seconds()))

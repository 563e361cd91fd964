"""Small S3 objects as bytes and as JSON."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from . import aws
from .errors import TrainingError


class NotOurs(TrainingError):
    """The object is there, but is not what this program writes at its key."""


ABSENT = {"404", "NoSuchKey", "NotFound"}


def read_bytes(s3: Any, bucket: str, key: str) -> bytes | None:
    """Return the object at `key`, or None when there is none. TrainingError when S3 refuses."""
    with aws.explained(f"read s3://{bucket}/{key}"):
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if aws.error_code(error) in ABSENT:
                return None
            raise
    return body


def read_json(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
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
            f"s3://{bucket}/{key} is not what this program writes there: {error}.",
            hint="Look at it; delete it to have it written anew.",
        ) from error
    return content

"""Uploads that are read back: an object counts as published when S3 tells the size and digest that were sent."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import says_absent

# Parts of 16 MB on 8 connections fill an ordinary line; single puts below that.
TRANSFER = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=8)


def is_there(s3: S3Client, bucket: str, key: str, size: int, sha256: str) -> bool:
    """Return whether `key` holds an object of this size that was published with this digest."""
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if says_absent(s3, bucket, key, error):
            return False
        raise aws.explain(error, f"look at s3://{bucket}/{key}") from error
    return bool(head["ContentLength"] == size and head.get("Metadata", {}).get("sha256") == sha256)


def put(s3: S3Client, bucket: str, key: str, content: Path | bytes, sha256: str, *, content_type: str = "") -> None:
    """Upload `content` (in parts when large) with its digest as metadata, then ask S3 for both.

    Raises TrainingError when the upload is refused or what S3 holds is not what was sent.
    """
    extra: dict[str, Any] = {"Metadata": {"sha256": sha256}}
    if content_type:
        extra["ContentType"] = content_type
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    stream: BinaryIO = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
    with stream, aws.explained(f"upload s3://{bucket}/{key}"):
        s3.upload_fileobj(stream, bucket, key, ExtraArgs=extra, Config=TRANSFER)
    if not is_there(s3, bucket, key, size, sha256):
        raise TrainingError(
            f"s3://{bucket}/{key} differs from what was just uploaded.", hint="Publish again.", code="checksum_mismatch"
        )


def put_json(s3: S3Client, bucket: str, key: str, value: dict[str, Any]) -> None:
    """Write `value` as JSON in one request."""
    body = (json.dumps(value, indent=2) + "\n").encode()
    with aws.explained(f"write s3://{bucket}/{key}"):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def tell_missing_bucket(s3: S3Client, bucket: str, emit: Callable[[str], None]) -> None:
    """Say when there is no bucket yet. A preview foretells what is published all the same: it may follow one of provisioning."""
    try:
        s3.list_objects_v2(Bucket=bucket, Prefix=layout.RUNTIME_ENV_PREFIX, MaxKeys=1)
    except ClientError as error:
        if aws.error_code(error) == "NoSuchBucket":
            emit(f"the bucket {bucket} does not exist yet; to create it: {playbook(None, 'provision_infrastructure')}")

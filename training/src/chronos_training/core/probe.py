"""The start-up probe: refuses an S3 that ignores conditions, before the lock is trusted to it.

Some S3 look-alikes take If-None-Match and If-Match and write all the same; a lock on one of those is none.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from .aws_types import S3Client
from .errors import PermissionDenied, TrainingError
from .wire import Answer, S3Wire

_AMAZON = re.compile(r"\.amazonaws\.com(\.cn)?$")
# What a passing fault answers: it proves nothing about conditions, in either direction.
_PASSING = {Answer.UNKNOWN, Answer.CONFLICT}


def probe_prefix(env: str) -> str:
    """Return what the keys of all probes begin with."""
    return f"{env}/.probe-"


def probe_key(env: str) -> str:
    """Return a throw-away key. Each probe has its own, so two of them never meet."""
    return probe_prefix(env) + uuid.uuid4().hex


def check_conditions(s3: S3Client, bucket: str, env: str, *, even_amazon: bool = False) -> None:
    """Raise TrainingError unless the S3 behind `s3` keeps conditions on PUT and DELETE. Nothing is left behind.

    `s3` is a client made with `wire.STATE_CONFIG`. Amazon S3 is known to keep them, so it is not asked; anything else
    (AWS_ENDPOINT_URL) gets five small requests: create; create again, replace and delete a version that is not there
    (each must be refused); delete. With `even_amazon` every S3 gets them: a person's rights are tried as well.
    What a process that dies in between leaves is removed by the bucket's lifecycle.
    """
    if not even_amazon and _AMAZON.search(urlsplit(s3.meta.endpoint_url).hostname or ""):
        return
    wire = S3Wire(s3, bucket, probe_key(env))
    try:
        created, etag = wire.put(b"first", None)
        if created is Answer.DENIED:
            raise PermissionDenied(f"No permission to write {wire.url} ({wire.refusal}).")
        if created is not Answer.DONE:
            raise TrainingError(
                f"Could not test whether {_where(s3)} honours conditional writes: it answered {created.value} to a "
                "first write.",
                hint="Nothing was started. Try again.",
                code="service_unavailable",
            )
        _must_refuse(s3, "If-None-Match on PUT", wire.put(b"second", None)[0])
        _must_refuse(s3, "If-Match on PUT", wire.put(b"third", _other(etag))[0])
        _must_refuse(s3, "If-Match on DELETE", wire.delete(_other(etag)))
    finally:
        _remove(s3, bucket, wire)


def _other(etag: str) -> str:
    """Return a well-formed ETag that is not `etag`."""
    return '"' + ("1" if "0" * 32 in etag else "0") * 32 + '"'


def _must_refuse(s3: S3Client, what: str, answer: Answer) -> None:
    if answer is Answer.DONE:
        raise TrainingError(
            f"{_where(s3)} ignores {what}: two runs could hold the lock at once.",
            hint="Use Amazon S3, or an S3 that honours conditional writes. Nothing was started.",
            code="configuration_invalid",
        )
    if answer in _PASSING:
        raise TrainingError(
            f"Could not test whether {_where(s3)} honours {what}: it answered {answer.value}.",
            hint="Nothing was started. Try again.",
            code="service_unavailable",
        )


def _remove(s3: S3Client, bucket: str, wire: S3Wire) -> None:
    key = wire.url.removeprefix(f"s3://{bucket}/")
    # What remains after a fault here is one tiny object of a name that nobody reads, until the lifecycle removes it.
    with contextlib.suppress(ClientError, BotoCoreError, TrainingError):
        s3.delete_object(Bucket=bucket, Key=key)


def _where(s3: S3Client) -> str:
    return f"The S3 at {s3.meta.endpoint_url}"

"""One S3 request, one answer. Nothing is retried here: a retry in this place would hide a lost answer.

botocore repeats a PUT whose answer was lost, gets 412 for its own success and reports that; so its retries are off,
and every answer, "none" included, is given to `cas.py`, which resolves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Protocol

from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.parsers import ResponseParserError

from . import aws
from .aws_types import S3Client
from .errors import Unreachable
from .explanations import words
from .objects import says_absent

# botocore has two families: the connection could not be made (and nothing was sent), or it broke.
# An answer of XML that is cut in the middle is a ResponseParserError, which is of neither.
_NO_ANSWER = (botocore_errors.HTTPClientError, botocore_errors.ConnectionError, ResponseParserError)
# The answer had begun, and its body ended too early.
_BROKEN_OFF = (botocore_errors.ResponseStreamingError, botocore_errors.IncompleteReadError)

STATE_CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=5)


@dataclass(frozen=True)
class Version:
    """One stored version of an object. `age_seconds` is by S3's own clock: Date minus Last-Modified."""

    body: bytes
    etag: str
    age_seconds: float


class Answer(Enum):
    """What came back for a conditional write or delete."""

    DONE = "done"
    CONFLICT = "409"
    PRECONDITION_FAILED = "412"
    NOT_FOUND = "404"
    DENIED = "403"
    UNKNOWN = "unknown"  # 5xx, time-out, reset: it may or may not have happened


class Wire(Protocol):
    """Single-attempt access to one key."""

    url: str
    refusal: str  # why the last put or delete was not done, in the store's own words; empty when it did not say

    def get(self) -> Version | None:
        """Return the present version, None when absent. Raises TrainingError, or Unseen when no answer came."""

    def put(self, body: bytes, etag: str | None) -> tuple[Answer, str]:
        """Write if the stored ETag is `etag` (None: if absent). Returns the answer and the new ETag when done."""

    def delete(self, etag: str) -> Answer:
        """Delete if the stored ETag is `etag`."""


class Unseen(Unreachable):
    """The store gave no usable answer: this says nothing about the run."""


class S3Wire:
    """`Wire` over boto3. Raises TrainingError for what no retry can cure (missing bucket, wrong region, credentials)."""

    def __init__(self, s3: S3Client, bucket: str, key: str, *, content_type: str = "application/json") -> None:
        """`s3` is a boto3 S3 client made with STATE_CONFIG (single attempt, short time-outs)."""
        if s3.meta.config.retries.get("total_max_attempts") != 1:  # type: ignore[attr-defined]  # the stubs lack it
            raise ValueError("the state store needs an S3 client without retries (wire.STATE_CONFIG)")
        self._s3, self._bucket, self._key, self._content_type = s3, bucket, key, content_type
        self.url, self.refusal = f"s3://{bucket}/{key}", ""

    def get(self) -> Version | None:
        """See `Wire.get`."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=self._key)
            body = found["Body"].read()
        except botocore_errors.ClientError as error:
            answer = self._answer(error, f"read {self.url}")
            if answer is Answer.NOT_FOUND:
                return None
            if answer is Answer.DENIED:
                if says_absent(self._s3, self._bucket, self._key, error):
                    return None
                raise aws.explain(error, f"read {self.url}") from error
            raise Unseen(f"Could not read {self.url}: {error}") from error
        except (*_NO_ANSWER, *_BROKEN_OFF) as error:
            raise Unseen(f"Could not read {self.url}: {error}") from error
        except botocore_errors.BotoCoreError as error:
            raise aws.explain(error, f"read {self.url}") from error
        return Version(body, found["ETag"], _age(found["ResponseMetadata"]["HTTPHeaders"], found["LastModified"]))

    def put(self, body: bytes, etag: str | None) -> tuple[Answer, str]:
        """See `Wire.put`."""
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            written = self._s3.put_object(
                Bucket=self._bucket, Key=self._key, Body=body, ContentType=self._content_type, **condition
            )
        except (botocore_errors.ClientError, botocore_errors.BotoCoreError, ResponseParserError) as error:
            return self._answer(error, f"write {self.url}"), ""
        return Answer.DONE, written["ETag"]

    def delete(self, etag: str) -> Answer:
        """See `Wire.delete`."""
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=self._key, IfMatch=etag)
        except (botocore_errors.ClientError, botocore_errors.BotoCoreError, ResponseParserError) as error:
            return self._answer(error, f"delete {self.url}")
        return Answer.DONE

    def _answer(self, error: Exception, what: str) -> Answer:
        self.refusal = str(error)
        if isinstance(error, botocore_errors.ClientError):
            self.refusal = words(aws.error_code(error), str(error.response.get("Error", {}).get("Message", "")))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            # 501 is how some S3 look-alikes refuse conditions: not a passing fault.
            if aws.error_code(error) in {"NoSuchBucket", "NotImplemented"} or status in {301, 400, 401, 501}:
                raise aws.explain(error, what) from error
            by_status = {
                403: Answer.DENIED, 404: Answer.NOT_FOUND, 409: Answer.CONFLICT, 412: Answer.PRECONDITION_FAILED,
            }  # fmt: skip
            return by_status.get(status, Answer.UNKNOWN)
        if isinstance(error, _NO_ANSWER):
            return Answer.UNKNOWN
        raise aws.explain(error, what) from error


def _age(headers: dict[str, str], last_modified: datetime) -> float:
    """Return the age of the version in seconds, judged by S3's clock alone."""
    return max(0.0, (parsedate_to_datetime(headers["date"]) - last_modified).total_seconds())

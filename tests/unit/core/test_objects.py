"""Reading over a line that breaks: what botocore does not repeat, and what boto3's transfers wrap."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError
from botocore.parsers import ResponseParserError

from chronos_training.core import aws, objects
from chronos_training.core.errors import PermissionDenied, TrainingError, Unreachable
from chronos_training.core.wire import Answer, S3Wire, Unseen


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self) -> bytes:
        raise self.error


class Bucket:
    """Answers with these bodies, one after another."""

    def __init__(self, *bodies) -> None:
        self.bodies = list(bodies)

    def get_object(self, **named):
        return {"Body": self.bodies.pop(0)}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(objects.time, "sleep", lambda seconds: None)


BREAKS = [
    IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ResponseStreamingError(error="connection broken"),
]


@pytest.mark.parametrize("error", BREAKS, ids=lambda error: type(error).__name__)
def test_a_body_that_broke_off_is_read_again(error):
    assert objects.read_bytes(Bucket(Broken(error), Broken(error), io.BytesIO(b"whole")), "b", "k") == b"whole"


def test_a_line_that_stays_broken_is_said():
    broken = [Broken(BREAKS[1]) for _ in range(objects.ATTEMPTS)]
    with pytest.raises(TrainingError, match="Could not read s3://b/k"):
        objects.read_bytes(Bucket(*broken), "b", "k")


def test_a_failed_upload_is_explained_by_its_cause():
    with pytest.raises(PermissionDenied, match="Could not store it"), aws.explained("store it"):
        try:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")
        except ClientError as error:
            raise S3UploadFailedError(f"Failed to upload: {error}")  # noqa: B904 (as boto3 does)


def test_an_answer_that_was_cut_is_unreachable():
    with pytest.raises(Unreachable, match="Could not list it: the answer was cut off"), aws.explained("list it"):
        raise ResponseParserError("Unable to parse response")


def test_a_cut_answer_about_the_state_says_nothing():
    class S3:
        meta = SimpleNamespace(config=SimpleNamespace(retries={"total_max_attempts": 1}))

        def refuse(self, **named):
            raise ResponseParserError("Unable to parse response")

        get_object = put_object = delete_object = refuse

    wire = S3Wire(S3(), "b", "k")
    with pytest.raises(Unseen):
        wire.get()
    assert wire.put(b"x", None) == (Answer.UNKNOWN, "")
    assert wire.delete("e") is Answer.UNKNOWN


def test_a_failed_upload_without_a_cause_is_still_a_sentence():
    with pytest.raises(TrainingError, match="Could not store it: Failed"), aws.explained("store it"):
        raise S3UploadFailedError("Failed to upload")

"""What SNS refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

_MOST_BYTES = 262_144
# "Subjects must be UTF-8 text with no line breaks or control characters, and less than 100 characters long."
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), "InvalidParameter", unique=True)
    if action == "Publish":
        yield from _of_message(given)
        if not any(name in given for name in ("TopicArn", "TargetArn", "PhoneNumber")):
            yield Refusal(
                "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
            )
    if action == "PublishBatch":
        entries = given.get("PublishBatchRequestEntries", [])
        # https://docs.aws.amazon.com/sns/latest/dg/sns-batch-api-actions.html
        if sum(map(_size, entries)) > _MOST_BYTES:
            said = "The length of all the messages put together is more than the limit."
            yield Refusal("BatchRequestTooLong", said)
        for entry in entries:
            yield from _of_message(entry)


def _of_message(given: dict[str, Any]) -> Iterator[Refusal]:
    if not given.get("Message"):
        yield Refusal("InvalidParameter", "Invalid parameter: Empty message")
    if _size(given) > _MOST_BYTES:
        yield Refusal("InvalidParameter", "Invalid parameter: Message too long")
    if "Subject" in given and not _SUBJECT.fullmatch(given["Subject"]):
        yield Refusal("InvalidParameter", "Invalid parameter: Subject")


def _size(given: dict[str, Any]) -> int:
    """Bytes of a message with its attributes: names, types and values count."""
    texts = [str(given.get("Message", ""))]
    for name, one in given.get("MessageAttributes", {}).items():
        texts += [name, *map(str, one.values())]
    return sum(len(text.encode()) for text in texts)

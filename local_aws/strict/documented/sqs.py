"""What SQS refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_QUEUE = re.compile(r"[a-zA-Z0-9_-]{1,80}|[a-zA-Z0-9_-]{1,75}\.fifo")
_RETENTION_SECONDS = (60, 1_209_600)


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    if action == "CreateQueue" and not _QUEUE.fullmatch(given.get("QueueName", "")):
        said = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        yield Refusal("InvalidParameterValue", said)
    tags = [{"Key": key, "Value": value} for key, value in (given.get("tags") or given.get("Tags") or {}).items()]
    yield from tag_refusals(tags, "InvalidParameterValue")
    retention = given.get("Attributes", {}).get("MessageRetentionPeriod")
    if retention is not None and not (
        str(retention).isdigit() and _RETENTION_SECONDS[0] <= int(retention) <= _RETENTION_SECONDS[1]
    ):
        yield Refusal("InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod.")

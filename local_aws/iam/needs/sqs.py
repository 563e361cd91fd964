"""What an SQS request needs."""

from __future__ import annotations

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action not in operations_of("sqs"):
        return None
    name = call.parameters.get("QueueName") or call.parameters.get("QueueUrl", "").rsplit("/", 1)[-1]
    resource = f"arn:aws:sqs:{call.region}:{account}:{name}" if name else "*"
    needs = [Need(f"sqs:{call.action.removesuffix('Batch')}", resource)]
    if call.action == "CreateQueue" and "tags" in call.parameters:
        needs.append(Need("sqs:TagQueue", resource))
    return needs

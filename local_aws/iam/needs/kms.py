"""What a KMS request needs."""

from __future__ import annotations

from local_aws.calls import Call
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action != "DescribeKey":
        return None
    key = call.parameters.get("KeyId", "")
    return [
        Need("kms:DescribeKey", key if key.startswith("arn:") else f"arn:aws:kms:{call.region}:{account}:key/{key}")
    ]

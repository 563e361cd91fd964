"""What a request to the free tier needs."""

from __future__ import annotations

from local_aws.calls import Call
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    return [Need(f"freetier:{call.action}", "*")] if call.action in ("GetAccountPlanState",) else None

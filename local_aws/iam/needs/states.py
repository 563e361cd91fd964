"""What a request to Step Functions needs."""

from __future__ import annotations

from local_aws.calls import Call, operations_of
from local_aws.iam.policies import Need

_ON_ANYTHING = frozenset(
    {
        "ListStateMachines", "ListActivities", "SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat",
        "ValidateStateMachineDefinition",
    }
)  # fmt: skip
# The token does not tell the machine: SendTask… are allowed on every one, or on none.


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    if action not in operations_of("stepfunctions"):
        return None
    if action in _ON_ANYTHING:
        return [Need(f"states:{action}", "*")]
    resource = (
        given.get("executionArn")
        or given.get("stateMachineArn")
        or given.get("stateMachineAliasArn")
        or given.get("stateMachineVersionArn")
        or given.get("resourceArn")
        or f"arn:aws:states:{call.region}:{account}:stateMachine:{given.get('name', '')}"
    )
    needs = [Need(f"states:{action}", resource)]
    if action == "CreateStateMachine" and given.get("tags", "[]") != "[]":
        needs.append(Need("states:TagResource", resource))
    if action in ("CreateStateMachine", "UpdateStateMachine") and "roleArn" in given:
        needs.append(Need("iam:PassRole", given["roleArn"], {"iam:passedtoservice": "states.amazonaws.com"}))
    return needs

"""A function is Pending after it is created, and an update is InProgress, for a moment: code that does not wait fails, as on AWS.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.exceptions import LambdaClientError

from local_aws.clock import CLOCK
from local_aws.services.awslambda.functions import LATEST, Function, backend

SECONDS = 0.2  # by AWS's clock; on AWS it is seconds


class Conflict(LambdaClientError):
    """409."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


def created(moto: Any) -> None:
    """The function begins to be."""
    moto.local_aws_active_at = CLOCK.now() + SECONDS


def updated(moto: Any) -> None:
    """An update begins."""
    moto.local_aws_updated_at = CLOCK.now() + SECONDS


def state_of(function: Function) -> str:
    """Return the state of the function. Hold the lock."""
    stored = backend(function.region)._lambdas._functions[function.name]["latest"]
    return _state(stored) if function.version == LATEST else "Active"


def describe(moto: Any) -> dict[str, Any]:
    """Return what GetFunctionConfiguration says of it."""
    state = _state(moto)
    said: dict[str, Any] = {"State": state, "LastUpdateStatus": "Successful"}
    if state == "Pending":
        said |= {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
        said["LastUpdateStatus"] = "InProgress"
    elif CLOCK.now() < getattr(moto, "local_aws_updated_at", 0.0):
        said |= {"LastUpdateStatus": "InProgress", "LastUpdateStatusReason": "The function is being updated."}
        said["LastUpdateStatusReasonCode"] = "Updating"
    return said


def check_changeable(moto: Any) -> None:
    """Raise Conflict while a function is created or updated."""
    state = _state(moto)
    if state != "Active":
        raise Conflict(not_now(state))
    if CLOCK.now() < getattr(moto, "local_aws_updated_at", 0.0):
        raise Conflict(
            "The operation cannot be performed at this time. "
            f"An update is in progress for resource: {moto.function_arn}"
        )


def not_now(state: str) -> str:
    """AWS's sentence."""
    return f"The operation cannot be performed at this time. The function is currently in the following state: {state}"


def _state(moto: Any) -> str:
    return "Pending" if CLOCK.now() < getattr(moto, "local_aws_active_at", 0.0) else "Active"


def check_publishable(moto: Any) -> None:
    """A version is made of what is there, as soon as that is Active. CreateFunction with Publish makes one at once."""
    if _state(moto) != "Active" and getattr(moto, "local_aws_published", 0):
        raise Conflict(not_now(_state(moto)))

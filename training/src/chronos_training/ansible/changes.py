"""What AWS has accepted of a task's changes: a task that fails says what it had made by then.

Seen where botocore gets its answers, so that no module has to keep a list, and the AWS collection's modules are seen too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import botocore

# Operations that only look begin so; AWS names them by this rule in every service that is used here.
_LOOKS = ("Get", "List", "Describe", "Head", "Lookup", "Simulate", "Assume", "Search")
# The parameters that name what a request is about, the most telling first.
_NAMES = (
    "Bucket", "RoleName", "InstanceProfileName", "PolicyName", "PolicyArn", "QueueName", "QueueUrl", "Name", "Names",
    "InstanceIds", "Resources", "ResourceArn", "ResourceId", "SubnetId", "GroupId", "GroupName", "RouteTableId",
    "InternetGatewayId", "VpcEndpointIds", "VolumeId", "VpcId", "CidrBlock",
)  # fmt: skip
_PARAMETERS = "chronos_training_parameters"

# None: nobody asks. One list for the process: a task has a process of its own, with threads.
_done: list[str] | None = None


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """Yield the list that fills with the changes that AWS accepts inside the block, such as `CreateBucket my-bucket`."""
    with _into([]) as done:
        assert done is not None
        yield done


@contextlib.contextmanager
def not_counted() -> Iterator[None]:
    """Leave out what the block does: notes and probes, which change nothing that anybody asked for."""
    with _into(None):
        yield


def note(change: str) -> None:
    """Count a change that is not a request to AWS."""
    if _done is not None:
        _done.append(change)


@contextlib.contextmanager
def _into(new: list[str] | None) -> Iterator[list[str] | None]:
    global _done
    before, _done = _done, new
    try:
        yield new
    finally:
        _done = before


def _listen(session: Any) -> None:
    session.register("before-parameter-build", _keep)
    session.register("after-call", _count)


def _keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context[_PARAMETERS] = params


def _count(http_response: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
    if _done is None or http_response.status_code >= 300 or model.name.startswith(_LOOKS):
        return
    params = context.get(_PARAMETERS) or {}
    named = next((params[name] for name in _NAMES if params.get(name)), "")
    if isinstance(named, (list, tuple)):
        named = ", ".join(map(str, named))
    key = f"/{params['Key']}" if params.get("Key") and "Bucket" in params else ""
    _done.append(f"{model.name} {named}{key}".rstrip())


botocore.register_initializer(_listen)

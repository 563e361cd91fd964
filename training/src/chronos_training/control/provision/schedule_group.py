"""What termination schedules need besides their role: the group that its schedules lie in, and the queue for those that
failed.

No module of amazon.aws or community.aws makes schedule groups, and the one for queues cannot ask for SQS's own encryption.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chronos_training.core import aws
from chronos_training.core.aws_types import SchedulerClient, SQSClient
from chronos_training.core.errors import TrainingError

Described = dict[str, Any]
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
_NO_GROUP = "ResourceNotFoundException"


@dataclass(frozen=True)
class Clients:
    """boto3 clients of the environment's region."""

    scheduler: SchedulerClient
    sqs: SQSClient

    @classmethod
    def of(cls, region: str) -> Clients:
        """Return the clients of a region."""
        return cls(aws.client("scheduler", region=region), aws.client("sqs", region=region))


def wanted(queue_arn: str, tags: dict[str, str]) -> dict[str, Described]:
    """Return how group and queue must be, in the shape that `describe` returns."""
    tls_only = {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "group": {"tags": tags},
        "queue": {
            "arn": queue_arn,
            # SSE-SQS: encrypted with a key of SQS itself, which costs nothing and needs no permission for the sender.
            "SqsManagedSseEnabled": "true",
            "MessageRetentionPeriod": str(14 * 24 * 3600),  # the longest there is
            "Policy": {"Version": "2012-10-17", "Statement": [tls_only]},
            "tags": tags,
        },
    }


def describe(clients: Clients, group: str, queue: str) -> dict[str, Described | None]:
    """Return group and queue as they are; None for what does not exist."""
    return {"group": _describe_group(clients.scheduler, group), "queue": _describe_queue(clients.sqs, queue)}


def ensure_present(
    clients: Clients, group: str, queue: str, want: dict[str, Described], *, check_mode: bool
) -> dict[str, Any]:
    """Make group and queue as `want` says, writing only what differs. Returns changed and diff."""
    before = describe(clients, group, queue)
    after: dict[str, Described] = {}
    for kind, wish in want.items():
        now: Described = before[kind] or {}
        # Tags of others stay: a person's cost report may need them.
        after[kind] = wish | {"tags": {**(now.get("tags") or {}), **wish["tags"]}}
    differing = {
        kind: [name for name in after[kind] if (before[kind] or {}).get(name) != after[kind][name]]
        for kind in after
        if before[kind] != after[kind]
    }
    if not check_mode:
        if "group" in differing:
            _write_group(clients.scheduler, group, before["group"], after["group"])
        if "queue" in differing:
            _write_queue(clients.sqs, queue, before["queue"], after["queue"], differing["queue"])
    names = {"group": f"schedule group {group}", "queue": f"queue {queue}"}
    return {
        "changed": bool(differing),
        "diff": {
            "before": {names[k]: {n: (before[k] or {}).get(n) for n in differing[k]} for k in differing if before[k]},
            "after": {names[k]: {n: after[k][n] for n in differing[k]} for k in differing},
        },
    }


def ensure_absent(clients: Clients, group: str, queue: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete group (with every schedule in it) and queue (with its messages). Returns changed and diff."""
    before = describe(clients, group, queue)
    if not check_mode:
        if before["group"] is not None:
            with aws.explained(f"delete the schedule group {group}"):
                clients.scheduler.delete_schedule_group(Name=group)
        if before["queue"] is not None:
            with aws.explained(f"delete the queue {queue}"):
                clients.sqs.delete_queue(QueueUrl=clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    gone = {kind: name for kind, name in (("group", group), ("queue", queue)) if before[kind] is not None}
    return {"changed": bool(gone), "diff": {"before": gone, "after": {}}}


def _describe_group(scheduler: SchedulerClient, name: str) -> Described | None:
    with aws.explained(f"inspect the schedule group {name}"):
        try:
            found = scheduler.get_schedule_group(Name=name)
        except scheduler.exceptions.ClientError as error:
            if aws.error_code(error) == _NO_GROUP:
                return None
            raise
        # A group that is being deleted stays listed until its schedules are gone.
        if found.get("State") == "DELETING":
            return None
        tags = scheduler.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"]
    return {"tags": {tag["Key"]: tag["Value"] for tag in tags}}


def _describe_queue(sqs: SQSClient, name: str) -> Described | None:
    with aws.explained(f"inspect the queue {name}"):
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
            tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        except sqs.exceptions.ClientError as error:
            if aws.error_code(error) in _NO_QUEUE:
                return None
            raise
    return {
        "arn": found.get("QueueArn"),
        "SqsManagedSseEnabled": found.get("SqsManagedSseEnabled", "false"),
        "MessageRetentionPeriod": found.get("MessageRetentionPeriod"),
        "Policy": json.loads(found["Policy"]) if found.get("Policy") else None,
        "tags": tags,
    }


def _write_group(scheduler: SchedulerClient, name: str, before: Described | None, after: Described) -> None:
    tags: list[Any] = [{"Key": key, "Value": value} for key, value in after["tags"].items()]
    with aws.explained(f"create the schedule group {name}"):
        if before is not None:
            scheduler.tag_resource(ResourceArn=scheduler.get_schedule_group(Name=name)["Arn"], Tags=tags)
            return
        try:
            scheduler.create_schedule_group(Name=name, Tags=tags)
        except scheduler.exceptions.ClientError as error:
            if aws.error_code(error) == "ConflictException":
                raise TrainingError(
                    f"The schedule group {name} is still being deleted.",
                    hint="Try again in a minute.",
                    code="service_unavailable",
                ) from error
            raise


def _write_queue(sqs: SQSClient, name: str, before: Described | None, after: Described, differing: list[str]) -> None:
    attributes: dict[Any, str] = {
        key: json.dumps(after[key]) if key == "Policy" else after[key]
        for key in differing
        if key not in {"arn", "tags"}
    }
    with aws.explained(f"create the queue {name}"):
        if before is None:
            try:
                sqs.create_queue(QueueName=name, Attributes=attributes, tags=after["tags"])
            except sqs.exceptions.ClientError as error:
                if "QueueDeletedRecently" in aws.error_code(error):
                    raise TrainingError(
                        f"The queue {name} was deleted within the last minute, and AWS reserves its name for that "
                        "long.",
                        hint="Try again in a minute.",
                        code="service_unavailable",
                    ) from error
                raise
            return
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        if "tags" in differing:
            sqs.tag_queue(QueueUrl=url, Tags=after["tags"])

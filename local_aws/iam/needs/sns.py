"""What an SNS request needs.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
"""

from __future__ import annotations

from local_aws.calls import Call
from local_aws.iam.policies import Need

_OF_TOPIC = frozenset(
    [
        "AddPermission", "ConfirmSubscription", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic",
        "ListTagsForResource", "Publish", "PublishBatch", "RemovePermission", "SetTopicAttributes", "Subscribe",
        "TagResource", "UntagResource",
    ]
)  # fmt: skip
_OF_ALL = frozenset(
    ["GetSubscriptionAttributes", "ListSubscriptions", "ListTopics", "SetSubscriptionAttributes", "Unsubscribe"]
)


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    if action in _OF_ALL:
        return [Need(f"sns:{action}", "*")]
    if action == "CreateTopic":
        topic = f"arn:aws:sns:{call.region}:{account}:{given.get('Name', '')}"
        tags = any(name.startswith("Tags.member.") for name in given)
        return [Need("sns:CreateTopic", topic), *([Need("sns:TagResource", topic)] if tags else [])]
    if action not in _OF_TOPIC:
        return None
    topic = given.get("TopicArn") or given.get("TargetArn") or given.get("ResourceArn") or "*"
    context: dict[str, str | list[str]] = {}
    if action == "Subscribe":
        context = {"sns:protocol": given.get("Protocol", ""), "sns:endpoint": given.get("Endpoint", "")}
    return [Need(f"sns:{action.removesuffix('Batch')}", topic, context)]

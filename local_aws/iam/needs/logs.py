"""What a request to CloudWatch Logs needs.

The resource of a group is written `…:log-group:NAME:log-stream:`, which is why policies for it end in `:*`; that of its
tags has no such end: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
"""

from __future__ import annotations

from local_aws.calls import Call
from local_aws.iam.policies import Need

_ON_GROUP = frozenset(
    [
        "CreateLogGroup",
        "DeleteLogGroup",
        "DescribeLogStreams",
        "DescribeMetricFilters",
        "DescribeSubscriptionFilters",
        "DeleteMetricFilter",
        "PutMetricFilter",
        "PutRetentionPolicy",
        "DeleteRetentionPolicy",
        "FilterLogEvents",
        "DeleteSubscriptionFilter",
        "PutSubscriptionFilter",
        "StartQuery",
        # The older words for tags, of which the collections' modules make use.
        "ListTagsLogGroup",
        "TagLogGroup",
        "UntagLogGroup",
    ]
)
_ON_STREAM = frozenset({"CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents"})
_ON_ANYTHING = frozenset({"DescribeLogGroups", "DescribeResourcePolicies", "PutResourcePolicy", "DeleteResourcePolicy"})
_OF_TAGS = frozenset({"ListTagsForResource", "TagResource", "UntagResource"})


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    prefix = f"arn:aws:logs:{call.region}:{account}:log-group"
    if action in _OF_TAGS:
        return [Need(f"logs:{action}", given["resourceArn"])]
    if action in _ON_ANYTHING:
        return [Need(f"logs:{action}", f"{prefix}::log-stream:" if action == "DescribeLogGroups" else "*")]
    name = (
        given.get("logGroupName") or given.get("logGroupIdentifier", "").removesuffix(":*").rpartition("log-group:")[2]
    )
    if action in _ON_STREAM:
        return [Need(f"logs:{action}", f"{prefix}:{name}:log-stream:{given.get('logStreamName', '')}")]
    if action not in _ON_GROUP:
        return None
    needs = [Need(f"logs:{action}", f"{prefix}:{name}:log-stream:")]
    if action == "CreateLogGroup" and "tags" in given:
        needs.append(Need("logs:TagResource", f"{prefix}:{name}"))
    return needs

"""Subscription filters that send what matches to a function, by the function's policy.

moto 5.2.5 sends every event whatever the pattern, asks no policy, and calls the function while its state is locked.
Other destinations than functions are refused here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
from typing import Any

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, LimitExceededException, ResourceNotFoundException

from local_aws.iam import decisions
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT
from local_aws.iam.service_roles import service_may
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.logs import filter_patterns
from local_aws.services.patching import replace

log = logging.getLogger("local_aws.logs")

_MOST_FILTERS = 2


def install(aws: Aws) -> None:
    """Let moto do this."""

    def put_subscription_filter(
        self: models.LogsBackend, group_name: str, name: str, pattern: str, destination: str, role_arn: str
    ) -> None:
        group = self.groups.get(group_name)
        if group is None:
            raise ResourceNotFoundException()
        try:
            filter_patterns.read(pattern)
        except filter_patterns.InvalidPattern as error:
            raise InvalidParameterException(f"Invalid filter pattern: {error}") from None
        if destination.split(":")[2:3] != ["lambda"]:
            raise InvalidParameterException(
                f"The embedded AWS does not know the destination {destination}: it knows functions."
            )
        if _principal(aws, destination, _source(group)) is None:
            raise InvalidParameterException(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
                "your function."
            )
        if name not in group.subscription_filters and len(group.subscription_filters) >= _MOST_FILTERS:
            raise LimitExceededException()
        filters = group.subscription_filters
        filters[name] = models.SubscriptionFilter(name, group_name, pattern, destination, role_arn)

    def send(self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[dict[str, Any]]) -> None:
        group = self.log_group
        match = filter_patterns.read(group.subscription_filters[filter_name].filter_pattern).match
        wanted = [{**event, "id": f"{event['id']:056d}"} for event in log_events if match(event["message"]) is not None]
        if wanted:
            message = {
                "messageType": "DATA_MESSAGE",
                "owner": ACCOUNT,
                "logGroup": group.name,
                "logStream": self.log_stream_name,
                "subscriptionFilters": [filter_name],
                "logEvents": wanted,
            }
            aws.clock.call_after(
                0.0, f"subscription {filter_name}", lambda: _deliver(aws, destination_arn, message, _source(group))
            )

    replace(models.LogsBackend, put_subscription_filter=put_subscription_filter)
    replace(models.LogStream, _send_log_events=send)


def _source(group: Any) -> str:
    return f"{group.arn}:*"


def _principal(aws: Aws, function_arn: str, source_arn: str) -> str | None:
    """Return the principal as which the function's policy lets CloudWatch Logs in.

    Policies name either. Takes the lock.
    """
    with aws.lock:
        aws.open("awslambda")
        policy = decisions.resource_policies["lambda"](function_arn)
        region = function_arn.split(":")[3]
        for principal in ("logs.amazonaws.com", f"logs.{region}.amazonaws.com"):
            need = Need("lambda:InvokeFunction", function_arn)
            if service_may(principal, need, policy, source_arn=source_arn).allowed:
                return principal
    return None


def _deliver(aws: Aws, function_arn: str, message: dict[str, Any], source_arn: str) -> None:
    data = base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()
    payload = json.dumps({"awslogs": {"data": data}}).encode()
    principal = _principal(aws, function_arn, source_arn) or "logs.amazonaws.com"
    try:
        as_service.invoke(aws, function_arn, payload, service=principal, source_arn=source_arn)
    except NotDelivered as error:
        log.warning("log events of %s were not delivered to %s: %s", source_arn, function_arn, error)

"""Subscriptions wait for their confirmation, and are checked as AWS checks them.

moto confirms every subscription itself, and takes any token.
https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from __future__ import annotations

import copy
import json
import re
import secrets
from typing import Any

from moto.core.responses import ActionResult
from moto.sns.exceptions import SNSInvalidParameter, SNSNotFoundError
from moto.sns.models import SNSBackend, Subscription, Topic
from moto.sns.responses import SNSResponse
from moto.sns.utils import FilterPolicyMatcher

from local_aws.services.aws import Aws
from local_aws.services.sns.deliveries import Deliveries

CONFIRMED_BY_A_PERSON = ("email", "email-json", "http", "https")
_TOKEN_SECONDS = 2 * 86400.0
_RAW = ("http", "https", "sqs")
_ENDPOINTS = {
    "email": (r"[^@\s]+@[^@\s]+", "Email address"),
    "email-json": (r"[^@\s]+@[^@\s]+", "Email address"),
    "http": (r"http://.+", "Endpoint must match the specified protocol"),
    "https": (r"https://.+", "Endpoint must match the specified protocol"),
    "lambda": (r"arn:aws:lambda:[a-z0-9-]+:\d{12}:function:.+", "Lambda endpoint ARN"),
    "sqs": (r"arn:aws:sqs:[a-z0-9-]+:\d{12}:.+", "SQS endpoint ARN"),
}


def is_pending(subscription: Subscription) -> bool:
    """Whether nobody has confirmed it yet."""
    return str(subscription.attributes.get("PendingConfirmation", "false")).lower() == "true"


def close_gaps(aws: Aws, deliveries: Deliveries) -> None:
    """Patch moto."""
    _confirm_by_token(aws, deliveries)
    _show_what_is_pending(aws)
    _check_attributes()


def confirm(aws: Aws, topic: Topic, token: str) -> Subscription:
    """Confirm the subscription that `token` was sent for. InvalidParameter when there is none. Hold the lock."""
    for subscription in topic.sns_backend._get_topic_subscriptions(topic):
        if token and getattr(subscription, "local_aws_token", "") == token:
            if is_pending(subscription) and subscription.local_aws_asked + _TOKEN_SECONDS < aws.clock.now():
                break
            subscription.attributes["PendingConfirmation"] = False
            return subscription  # type: ignore[no-any-return]
    raise SNSInvalidParameter("Invalid parameter: Token")


def _confirm_by_token(aws: Aws, deliveries: Deliveries) -> None:
    subscribe, answer_subscribe = SNSBackend.subscribe, SNSResponse.subscribe

    def subscribe_and_ask(self: SNSBackend, topic_arn: str, endpoint: str, protocol: str) -> Subscription:
        pattern, said = _ENDPOINTS.get(protocol, (r".+", "Endpoint"))
        if not re.fullmatch(pattern, endpoint or ""):
            raise SNSInvalidParameter(f"Invalid parameter: {said}")
        subscription = subscribe(self, topic_arn, endpoint, protocol)
        fresh = not hasattr(subscription, "local_aws_token")
        if protocol in CONFIRMED_BY_A_PERSON and (fresh or is_pending(subscription)):
            subscription.local_aws_token = secrets.token_hex(96)
            subscription.local_aws_asked = aws.clock.now()
            subscription.attributes |= {"PendingConfirmation": True, "ConfirmationWasAuthenticated": False}
            deliveries.ask(subscription)
        return subscription

    def say_pending(self: SNSResponse) -> ActionResult:
        answer = answer_subscribe(self)
        subscription = self.backend.subscriptions[answer.result["SubscriptionArn"]]
        if is_pending(subscription) and not _is_true(self._get_param("ReturnSubscriptionArn")):
            answer.result["SubscriptionArn"] = "pending confirmation"
        return answer

    def confirm_subscription(self: SNSResponse) -> ActionResult:
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        return ActionResult({"SubscriptionArn": confirm(aws, topic, self._get_param("Token") or "").arn})

    SNSBackend.subscribe = subscribe_and_ask
    SNSResponse.subscribe = say_pending
    SNSResponse.confirm_subscription = confirm_subscription


def _show_what_is_pending(aws: Aws) -> None:
    list_all, list_of_topic = SNSBackend.list_subscriptions, SNSBackend.list_subscriptions_by_topic
    get_attributes, unsubscribe = SNSResponse.get_topic_attributes, SNSBackend.unsubscribe

    def as_shown(found: tuple[list[Subscription], int | None]) -> tuple[list[Subscription], int | None]:
        shown = []
        for subscription in found[0]:
            one = subscription
            if is_pending(subscription):
                one = copy.copy(subscription)
                one.arn = "PendingConfirmation"
            shown.append(one)
        return shown, found[1]

    def delete_unconfirmed(backend: SNSBackend) -> None:
        """Two days after it was asked for, SNS deletes a subscription that nobody has confirmed: here, when somebody looks."""
        for arn, one in list(backend.subscriptions.items()):
            if is_pending(one) and one.local_aws_asked + _TOKEN_SECONDS < aws.clock.now():
                del backend.subscriptions[arn]

    def list_subscriptions(self: SNSBackend, *arguments: Any, **named: Any) -> tuple[list[Subscription], int | None]:
        delete_unconfirmed(self)
        return as_shown(list_all(self, *arguments, **named))

    def list_by_topic(self: SNSBackend, *arguments: Any, **named: Any) -> tuple[list[Subscription], int | None]:
        delete_unconfirmed(self)
        return as_shown(list_of_topic(self, *arguments, **named))

    def get_topic_attributes(self: SNSResponse) -> ActionResult:
        delete_unconfirmed(self.backend)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        pending = [is_pending(one) for one in self.backend._get_topic_subscriptions(topic)]
        topic.subscriptions_pending, topic.subscriptions_confimed = pending.count(True), pending.count(False)
        return get_attributes(self)

    def unsubscribe_and_count(self: SNSBackend, subscription_arn: str) -> None:
        found = self.subscriptions.get(subscription_arn)
        if found is not None:
            found.topic.subscriptions_deleted += 1
        unsubscribe(self, subscription_arn)

    SNSBackend.list_subscriptions = list_subscriptions
    SNSBackend.list_subscriptions_by_topic = list_by_topic
    SNSBackend.unsubscribe = unsubscribe_and_count
    SNSResponse.get_topic_attributes = get_topic_attributes


def _check_attributes() -> None:
    set_attributes = SNSBackend.set_subscription_attributes

    def set_checked(self: SNSBackend, arn: str, name: str, value: Any) -> None:
        subscription = self.subscriptions.get(arn)
        if subscription is None:
            raise SNSNotFoundError("Subscription does not exist")
        if name == "RawMessageDelivery" and _is_true(value) and subscription.protocol not in _RAW:
            protocol = subscription.protocol
            raise SNSInvalidParameter(
                f"Invalid parameter: Delivery protocol [{protocol}] does not support raw message delivery."
            )
        if name == "RedrivePolicy" and value:
            _check_redrive(value)
        set_attributes(self, arn, name, value)
        if name == "FilterPolicyScope" and subscription._filter_policy is not None:
            subscription._filter_policy_matcher = FilterPolicyMatcher(subscription._filter_policy, value)

    SNSBackend.set_subscription_attributes = set_checked


def _check_redrive(text: str) -> None:
    try:
        arn = json.loads(text).get("deadLetterTargetArn", "")
    except (ValueError, AttributeError):
        raise SNSInvalidParameter("Invalid parameter: RedrivePolicy: failed to parse JSON.") from None
    if not re.fullmatch(_ENDPOINTS["sqs"][0], arn):
        raise SNSInvalidParameter("Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn")


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"

"""Opens SNS."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.core.exceptions import ServiceException
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import Topic, sns_backends

from local_aws import mail
from local_aws.iam import decisions
from local_aws.services.aws import Aws
from local_aws.services.sns import subscriptions
from local_aws.services.sns.deliveries import Deliveries
from local_aws.services.sns.messages import PLANE, Message

_open: list[Deliveries] = []


def open_service(aws: Aws) -> None:
    """Close the gaps, let messages be delivered, and answer the links in mails."""
    deliveries = Deliveries(aws)
    _open[:] = [deliveries]
    subscriptions.close_gaps(aws, deliveries)
    _deliver_what_is_published(aws, deliveries)
    decisions.resource_policies["sns"] = _policy_of
    aws.planes[PLANE] = Links(aws)
    aws.at_reset(lambda: shutil.rmtree(mail.folder(aws.home), ignore_errors=True))


def resume(aws: Aws) -> None:
    """Go on after a crash."""
    for deliveries in _open:
        deliveries.resume()


def _deliver_what_is_published(aws: Aws, deliveries: Deliveries) -> None:
    stock = Topic.publish

    def publish(
        self: Topic,
        message: str,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        message_structure: str | None = None,
    ) -> str:
        if message_structure == "json":
            _check_structure(message)
        if self.fifo_topic:  # in order and once: moto's
            return str(stock(self, message, subject, message_attributes, group_id, deduplication_id, message_structure))
        published = Message(
            str(uuid.uuid4()),
            self.arn,
            message,
            subject,
            aws.clock.now(),
            message_attributes or {},
            message_structure == "json",
            group_id,
            deduplication_id,
        )
        for subscription in self.sns_backend._get_topic_subscriptions(self):
            matcher = subscription._filter_policy_matcher
            wanted = matcher is None or matcher.matches(published.attributes, published.text_for(subscription.protocol))
            if wanted and not subscriptions.is_pending(subscription):
                deliveries.send(subscription, published)
        return published.id

    Topic.publish = publish


def _check_structure(message: str) -> None:
    try:
        texts = json.loads(message)
    except ValueError:
        raise SNSInvalidParameter("Invalid parameter: Message Structure - JSON message body failed to parse") from None
    if not isinstance(texts, dict) or "default" not in texts:
        raise SNSInvalidParameter("Invalid parameter: Message Structure - No default entry in JSON message body")


def _policy_of(arn: str) -> str | None:
    topic = _topic(arn)
    return str(topic.policy) if topic is not None else None


def _topic(arn: str) -> Topic | None:
    parts = arn.split(":")
    return sns_backends[parts[4]][parts[3]].topics.get(":".join(parts[:6])) if len(parts) >= 6 else None


class Links:
    """Answers the links in mails and requests for confirmation, which need no credentials."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", "")))
        action = query.get("Action", "")
        try:
            with self._aws.lock:
                arn = self._follow(action, query)
        except ServiceException as error:
            said = f"<Type>Sender</Type><Code>InvalidParameter</Code><Message>{escape(str(error))}</Message>"
            return _answer(start_response, "400 Bad Request", f"<ErrorResponse><Error>{said}</Error></ErrorResponse>")
        said = f"<SubscriptionArn>{escape(arn)}</SubscriptionArn>" if arn else ""
        said = f"<{action}Result>{said}</{action}Result>"
        return _answer(start_response, "200 OK", f"<{action}Response>{said}</{action}Response>")

    def _follow(self, action: str, query: dict[str, str]) -> str:
        if action == "ConfirmSubscription":
            topic = _topic(query.get("TopicArn", ""))
            if topic is None:
                raise SNSInvalidParameter("Invalid parameter: TopicArn")
            return str(subscriptions.confirm(self._aws, topic, query.get("Token", "")).arn)
        topic = _topic(query.get("SubscriptionArn", ""))
        if action != "Unsubscribe" or topic is None:
            raise SNSInvalidParameter("Invalid parameter: Action")
        topic.sns_backend.unsubscribe(query["SubscriptionArn"])
        return ""


def _answer(start_response: Any, status: str, text: str) -> list[bytes]:
    body = text.encode()
    start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]

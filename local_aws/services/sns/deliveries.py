"""A message on its way to one subscription: retries as AWS documents them, and the subscription's dead-letter queue.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

from moto.sns.models import Subscription, sns_backends

from local_aws import mail
from local_aws.services import as_service
from local_aws.services.aws import Aws
from local_aws.services.courier import Courier, NotDelivered
from local_aws.services.retries import Patience, in_phases
from local_aws.services.sns import messages
from local_aws.services.sns.messages import Message

log = logging.getLogger("local_aws.sns")
SERVICE = "sns.amazonaws.com"
_TIMEOUT = 15.0  # seconds of real time that an endpoint has for its answer
# A proxy from the person's environment must never see loopback requests.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Delivery:
    """One message for one subscription."""

    id: str
    subscription: Subscription
    message: Message
    patience: Patience

    @property
    def what(self) -> str:
        return f"a message of topic {self.subscription.topic.name} to {self.subscription.endpoint}"


class Deliveries:
    """Sends messages and requests for confirmation, each in a thread of its own."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._courier = Courier(aws, send=self._send, give_up=self._bury, kept=_on_their_way)

    def send(self, subscription: Subscription, message: Message) -> None:
        """Send a message. Returns at once. Hold the lock."""
        patience = _patience(subscription, self._aws.clock.now())
        self._courier.take(Delivery(str(uuid.uuid4()), subscription, message, patience))

    def resume(self) -> None:
        """Go on after a crash."""
        for regions in list(sns_backends.values()):
            for backend in list(regions.values()):
                self._courier.resume(getattr(backend, "local_aws_on_their_way", {}).values())

    def ask(self, subscription: Subscription) -> None:
        """Ask an HTTP endpoint or an address whether it wants the subscription. Returns at once."""
        what = f"the confirmation of {subscription.endpoint}"
        self._aws.clock.call_at(self._aws.clock.now(), what, functools.partial(self._ask, subscription))

    def _send(self, delivery: Delivery) -> None:
        _BY_PROTOCOL[delivery.subscription.protocol](self._aws, delivery.subscription, delivery.message)

    def _bury(self, delivery: Delivery, error: NotDelivered) -> None:
        """Put what was to be delivered into the subscription's dead-letter queue."""
        subscription, message = delivery.subscription, delivery.message
        arn = json.loads(subscription.attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        if arn:
            said = {"ERROR_CODE": error.code, "ERROR_MESSAGE": str(error)}
            body = messages.notification(message, subscription.protocol, subscription.arn, self._aws.endpoint)
            as_service.send_to_dead_letters(
                self._aws, arn, json.dumps(body), said, service=SERVICE, source_arn=message.topic_arn
            )

    def _ask(self, subscription: Subscription) -> None:
        now, token = self._aws.clock.now(), subscription.local_aws_token
        arn = subscription.topic.arn
        said = messages.confirmation(arn, token, str(uuid.uuid4()), now, self._aws.endpoint)
        if subscription.protocol in ("http", "https"):
            try:
                _post(subscription, said)
            except NotDelivered as error:
                log.info("%s was not asked for its confirmation: %s", subscription.endpoint, error)
            return
        text = messages.confirmation_text(arn, token, self._aws.endpoint)
        if subscription.protocol == "email-json":
            text = json.dumps(said, indent=2)
        subject = "AWS Notification - Subscription Confirmation"
        name = subscription.topic.display_name
        mail.deliver(self._aws.home, messages.mail(subscription.endpoint, name, subject, text, now))


def _to_queue(aws: Aws, subscription: Subscription, message: Message) -> None:
    raw = _is_raw(subscription)
    body = message.text_for("sqs")
    attributes: dict[str, Any] = {}
    if raw:
        for name, one in message.attributes.items():
            binary = one["Type"].startswith("Binary")
            value = {"BinaryValue": base64.b64decode(one["Value"])} if binary else {"StringValue": one["Value"]}
            attributes[name] = {"DataType": one["Type"], **value}
    else:
        body = json.dumps(messages.notification(message, "sqs", subscription.arn, aws.endpoint), indent=2)
    as_service.send_message(
        aws,
        subscription.endpoint,
        body,
        service=SERVICE,
        source_arn=message.topic_arn,
        attributes=attributes,
        group_id=message.group_id,
        deduplication_id=message.deduplication_id,
    )


def _to_function(aws: Aws, subscription: Subscription, message: Message) -> None:
    event = json.dumps(messages.lambda_event(message, subscription.arn, aws.endpoint)).encode()
    as_service.invoke(aws, subscription.endpoint, event, service=SERVICE, source_arn=message.topic_arn)


def _to_endpoint(aws: Aws, subscription: Subscription, message: Message) -> None:
    said = messages.notification(message, subscription.protocol, subscription.arn, aws.endpoint)
    _post(subscription, said, message.text_for(subscription.protocol) if _is_raw(subscription) else "")


def _to_address(aws: Aws, subscription: Subscription, message: Message) -> None:
    text = messages.mail_text(message, subscription.arn, aws.endpoint, subscription.endpoint)
    if subscription.protocol == "email-json":
        text = json.dumps(messages.notification(message, "email-json", subscription.arn, aws.endpoint), indent=2)
    subject = message.subject or "AWS Notification Message"
    name = subscription.topic.display_name
    mail.deliver(aws.home, messages.mail(subscription.endpoint, name, subject, text, aws.clock.now()))


_BY_PROTOCOL = {
    "email": _to_address,
    "email-json": _to_address,
    "http": _to_endpoint,
    "https": _to_endpoint,
    "lambda": _to_function,
    "sqs": _to_queue,
}


def _post(subscription: Subscription, said: dict[str, Any], raw: str = "") -> None:
    headers = {
        "x-amz-sns-message-type": said["Type"],
        "x-amz-sns-message-id": said["MessageId"],
        "x-amz-sns-topic-arn": said["TopicArn"],
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    if said["Type"] == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription.arn
    if raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    body = (raw or json.dumps(said, indent=2)).encode()
    request = urllib.request.Request(subscription.endpoint, body, headers, method="POST")
    try:
        with _opener.open(request, timeout=_TIMEOUT):
            pass
    except urllib.error.HTTPError as error:
        # What is the client's fault is not tried again, says the documentation; 429 is.
        for_good = 400 <= error.code < 500 and error.code != 429
        raise NotDelivered(
            str(error.code), f"{subscription.endpoint} answered {error.code}", for_good=for_good
        ) from None
    except OSError as error:
        raise NotDelivered("CONNECTION_FAILURE", str(error)) from None


def _is_raw(subscription: Subscription) -> bool:
    return str(subscription.attributes.get("RawMessageDelivery", "")).lower() == "true"


def _patience(subscription: Subscription, now: float) -> Patience:
    """With AWS's own services 100,015 tries in 23 days; with HTTP what the delivery policy says, else three more after 20 s.

    Of a delivery policy the number and the shortest pause count, for all of its phases.
    """
    if subscription.protocol not in ("http", "https"):
        return in_phases(now, (3, 0.0), (2, 1.0), (10, 5.0), (100_000, 20.0))
    policy: dict[str, Any] = {"minDelayTarget": 20, "numRetries": 3}
    for text in (subscription.topic.delivery_policy, subscription.attributes.get("DeliveryPolicy")):
        given = json.loads(text) if text else {}
        policy |= given.get("http", {}).get("defaultHealthyRetryPolicy", {}) | given.get("healthyRetryPolicy", {})
    return in_phases(now, (int(policy["numRetries"]), float(policy["minDelayTarget"])))


def _on_their_way(delivery: Delivery) -> dict[str, Delivery]:
    backend = delivery.subscription.topic.sns_backend
    if not hasattr(backend, "local_aws_on_their_way"):
        backend.local_aws_on_their_way = {}
    return backend.local_aws_on_their_way  # type: ignore[no-any-return]

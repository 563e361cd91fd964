"""What subscribers of a topic are sent, in AWS's forms.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

PLANE = "/_aws/sns"  # where the links lead: AWS has hosts of its own for them
# Nobody signs here, and nobody should take a message for signed.
_UNSIGNED = {
    "SignatureVersion": "1",
    "Signature": "bm90IHNpZ25lZA==",  # "not signed"
    "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000.pem",
}


@dataclass(frozen=True)
class Message:
    """A message as it was published. `attributes` are name → {Type, Value}, as moto keeps them."""

    id: str
    topic_arn: str
    text: str
    subject: str | None
    moment: float
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    structured: bool = False  # `text` is JSON with a text for each protocol
    group_id: str | None = None
    deduplication_id: str | None = None

    def text_for(self, protocol: str) -> str:
        """Return the text for subscribers of a protocol."""
        if not self.structured:
            return self.text
        texts = json.loads(self.text)
        return str(texts.get(protocol, texts["default"]))

    @property
    def timestamp(self) -> str:
        """When it was published, as SNS writes it."""
        return iso(self.moment)


def iso(moment: float) -> str:
    """Return a time as SNS writes it."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def notification(message: Message, protocol: str, subscription_arn: str, endpoint: str) -> dict[str, Any]:
    """Return the JSON that queues, addresses and HTTP endpoints get."""
    said = {
        "Type": "Notification",
        "MessageId": message.id,
        "TopicArn": message.topic_arn,
        **({"Subject": message.subject} if message.subject else {}),
        "Message": message.text_for(protocol),
        "Timestamp": message.timestamp,
        **_UNSIGNED,
        "UnsubscribeURL": unsubscribe_url(endpoint, subscription_arn),
    }
    return {**said, "MessageAttributes": message.attributes} if message.attributes else said


def lambda_event(message: Message, subscription_arn: str, endpoint: str) -> dict[str, Any]:
    """Return what a function is invoked with."""
    said = notification(message, "lambda", subscription_arn, endpoint)
    said = {"Subject": None, "MessageAttributes": {}, **said}
    said["SigningCertUrl"] = said.pop("SigningCertURL")
    said["UnsubscribeUrl"] = said.pop("UnsubscribeURL")
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": said,
    }
    return {"Records": [record]}


def confirmation(topic_arn: str, token: str, message_id: str, moment: float, endpoint: str) -> dict[str, Any]:
    """Return what an HTTP endpoint, and an address of the protocol email-json, is asked with."""
    return {
        "Type": "SubscriptionConfirmation",
        "MessageId": message_id,
        "Token": token,
        "TopicArn": topic_arn,
        "Message": f"You have chosen to subscribe to the topic {topic_arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message.",
        "SubscribeURL": subscribe_url(endpoint, topic_arn, token),
        "Timestamp": iso(moment),
        **_UNSIGNED,
    }


def subscribe_url(endpoint: str, topic_arn: str, token: str) -> str:
    """Return the link that confirms a subscription."""
    return _url(endpoint, Action="ConfirmSubscription", TopicArn=topic_arn, Token=token)


def unsubscribe_url(endpoint: str, subscription_arn: str) -> str:
    """Return the link that ends a subscription."""
    return _url(endpoint, Action="Unsubscribe", SubscriptionArn=subscription_arn)


def _url(endpoint: str, **query: str) -> str:
    return f"{endpoint}{PLANE}?{urllib.parse.urlencode(query)}"


def mail(address: str, display_name: str, subject: str, text: str, moment: float) -> EmailMessage:
    """Return a mail as SNS sends it."""
    message = EmailMessage()
    message["From"] = f"{display_name or 'AWS Notifications'} <no-reply@sns.amazonaws.com>"
    message["To"] = address
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromtimestamp(moment, timezone.utc))
    message.set_content(text)
    return message


def mail_text(message: Message, subscription_arn: str, endpoint: str, address: str) -> str:
    """Return the body of a notification's mail."""
    return (
        f"{message.text_for('email')}\n\n--\n"
        "If you wish to stop receiving notifications from this topic, please click or visit the link below to unsubscribe:\n"
        f"{unsubscribe_url(endpoint, subscription_arn)}\n\n"
        f"Please do not reply directly to this email. It was sent to {address}.\n"
    )


def confirmation_text(topic_arn: str, token: str, endpoint: str) -> str:
    """Return the body of the mail that asks for confirmation."""
    return (
        f"You have chosen to subscribe to the topic:\n{topic_arn}\n\n"
        "To confirm this subscription, click or visit the link below (If this was in error no action is necessary):\n"
        f"{subscribe_url(endpoint, topic_arn, token)}\n\n"
        "Please do not reply directly to this email.\n"
    )

"""What tests of several services make again and again: roles that a service takes, and queues to look into."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def role(aws: Any, name: str, service: str, *statements: dict[str, Any]) -> str:
    """Make a role that `service` may take and that may do what the statements say. Returns its ARN."""
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    may(aws, name, *statements)
    return str(arn)


def may(aws: Any, name: str, *statements: dict[str, Any]) -> None:
    """Let a role's policy say this from now on."""
    document = {"Version": "2012-10-17", "Statement": list(statements) or [allow("sts:GetCallerIdentity")]}
    aws.client("iam").put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=json.dumps(document))


class Queue:
    """A queue, with a policy that lets `services` send. `sources` narrows that to these ARNs."""

    def __init__(self, aws: Any, name: str, *services: str, sources: str = "", **attributes: str) -> None:
        self._sqs = aws.client("sqs")
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.url = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        if services:
            self.let_send(*services, sources=sources)

    def let_send(self, *services: str, sources: str = "") -> None:
        """Replace the policy; without a service nobody else may send."""
        statement = allow("sqs:SendMessage", self.arn, Principal={"Service": list(services)})
        if sources:
            statement["Condition"] = {
                "ArnLike": {"aws:SourceArn": sources},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if services else ""
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})

    def waiting(self) -> int:
        """How many messages there are, of any age."""
        name = "ApproximateNumberOfMessages"
        return int(self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])

    def messages(self) -> list[dict[str, Any]]:
        """Take everything out."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
            )
            if not answer.get("Messages"):
                return found
            for message in answer["Messages"]:
                found.append(message)
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def bodies(self) -> list[str]:
        """Take everything out; the bodies."""
        return [message["Body"] for message in self.messages()]

    def documents(self) -> list[Any]:
        """Take everything out; the bodies as JSON."""
        return [json.loads(body) for body in self.bodies()]


def attributes(message: dict[str, Any]) -> dict[str, str]:
    """The texts of a message's attributes."""
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


ECHO = "import json\ndef handler(event, context): print(json.dumps(event))"


def events_of(lines: list[str]) -> list[Any]:
    """What a function of ECHO was invoked with, from its log."""
    return [json.loads(line) for line in lines if line.startswith(("{", "["))]

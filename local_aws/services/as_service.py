"""What an AWS service sends to a queue, a topic, a function or a log group that lets it in by a policy of its own.

`service` is the principal (`s3.amazonaws.com`), `source_arn` what it acts for: aws:SourceArn in the policy's conditions. With a role,
a service calls as anybody does; see role_clients.py. Hold no lock.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sqs.models import sqs_backends

from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT
from local_aws.iam.service_roles import service_may
from local_aws.services.aws import Aws
from local_aws.services.courier import NotDelivered

__all__ = ["NotDelivered", "check", "invoke", "publish", "put_log_event", "send_message", "send_to_dead_letters"]
log = logging.getLogger("local_aws.services")


def send_message(
    aws: Aws,
    queue_arn: str,
    body: str,
    *,
    service: str,
    source_arn: str,
    attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
) -> None:
    """sqs:SendMessage by the queue's policy. `attributes` in the form of the API. NotDelivered."""
    _, _, _, region, account, name = queue_arn.split(":")
    with aws.lock:
        aws.open("sqs")
        queue = sqs_backends[account][region].queues.get(name)
        if queue is None:
            raise NotDelivered("NO_RESOURCE", f"The queue {queue_arn} does not exist.", for_good=True)
        _require("sqs:SendMessage", queue_arn, queue.policy, service, source_arn)
        try:
            sqs_backends[account][region].send_message(
                name, body, message_attributes=attributes, group_id=group_id, deduplication_id=deduplication_id
            )
        except ServiceException as error:
            raise NotDelivered(type(error).__name__, str(error), for_good=True) from None


def send_to_dead_letters(
    aws: Aws, queue_arn: str, body: str, said: dict[str, str], *, service: str, source_arn: str
) -> None:
    """Put what could not be delivered into a dead-letter queue. One that does not take it is written to the log."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
    try:
        send_message(aws, queue_arn, body, service=service, source_arn=source_arn, attributes=attributes)
    except NotDelivered as error:
        log.warning("the dead-letter queue %s took nothing: %s", queue_arn, error)


def publish(
    aws: Aws,
    topic_arn: str,
    message: str,
    *,
    service: str,
    source_arn: str,
    subject: str | None = None,
    mail: str | None = None,
) -> str:
    """sns:Publish by the topic's policy; `mail` is what subscribers by e-mail get instead. Returns the message's id. NotDelivered."""
    from moto.sns.models import sns_backends  # whoever has no topic does not pay for SNS

    _, _, _, region, account, _ = topic_arn.split(":")
    with aws.lock:
        aws.open("sns")
        topic = sns_backends[account][region].topics.get(topic_arn)
        if topic is None:
            raise NotDelivered("NO_RESOURCE", f"The topic {topic_arn} does not exist.", for_good=True)
        # The default policy lets in those services that say whose they are: alarms, not rules and buckets.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
        owner = {"aws:sourceowner": ACCOUNT} if service == "cloudwatch.amazonaws.com" else {}
        _require("sns:Publish", topic_arn, topic.policy, service, source_arn, owner)
        if mail is None:
            return str(topic.publish(message, subject=subject))
        texts = json.dumps({"default": message, "email": mail})
        return str(topic.publish(texts, subject=subject, message_structure="json"))


def invoke(aws: Aws, function_arn: str, payload: bytes, *, service: str, source_arn: str) -> None:
    """lambda:InvokeFunction as an event, by the function's policy. Lambda itself repeats what fails. NotDelivered."""
    with aws.lock:
        aws.open("awslambda")
    from local_aws.services.awslambda import opening
    from local_aws.services.awslambda.invocations import InvokeError

    try:
        opening.invocations.invoke_as_service(function_arn, payload, service=service, source_arn=source_arn, wait=False)
    except InvokeError as error:
        for_good = error.code in ("AccessDeniedException", "ResourceNotFoundException")
        code = {"AccessDeniedException": "NO_PERMISSIONS", "ResourceNotFoundException": "NO_RESOURCE"}.get(error.code)
        raise NotDelivered(code or error.code, str(error), for_good=for_good) from None


def check(aws: Aws, arn: str, *, service: str, source_arn: str) -> None:
    """Raise NotDelivered unless the queue, topic or function exists and lets the service in."""
    _, _, kind, region, account, name = arn.split(":", 5)
    with aws.lock:
        if kind == "sqs":
            aws.open("sqs")
            queue = sqs_backends[account][region].queues.get(name)
            if queue is None or queue.fifo_queue:
                raise NotDelivered("NO_RESOURCE", f"There is no standard queue {arn}.")
            _require("sqs:SendMessage", arn, queue.policy, service, source_arn)
        elif kind == "sns":
            from moto.sns.models import sns_backends

            topic = sns_backends[account][region].topics.get(arn)
            if topic is None or topic.fifo_topic:
                raise NotDelivered("NO_RESOURCE", f"There is no standard topic {arn}.")
            _require("sns:Publish", arn, topic.policy, service, source_arn)
        else:
            _check_function(aws, arn, service, source_arn)


def _check_function(aws: Aws, arn: str, service: str, source_arn: str) -> None:
    aws.open("awslambda")
    from local_aws.services.awslambda import opening, policies
    from local_aws.services.awslambda.functions import function_name
    from local_aws.services.awslambda.invocations import InvokeError

    try:
        named = function_name(arn, arn.split(":")[3])
        opening.invocations.find(named)
    except (InvokeError, ValueError) as error:
        raise NotDelivered("NO_RESOURCE", str(error)) from None
    _require("lambda:InvokeFunction", named.arn, policies.document(named.arn), service, source_arn)


def put_log_event(aws: Aws, group_arn: str, stream: str, message: str, *, service: str, source_arn: str) -> None:
    """A log event into a stream of its own, by the resource policies of CloudWatch Logs. NotDelivered."""
    from moto.logs.models import logs_backends

    _, _, _, region, account, _, name = group_arn.removesuffix(":*").split(":", 6)
    with aws.lock:
        aws.open("logs")
        backend = logs_backends[account][region]
        if name not in backend.groups:
            raise NotDelivered("NO_RESOURCE", f"The log group {name} does not exist.", for_good=True)
        statements = []
        for policy in backend.resource_policies.values():
            found = json.loads(policy.policy_document).get("Statement", [])
            statements += found if isinstance(found, list) else [found]
        document = json.dumps({"Statement": statements})
        arn = f"arn:aws:logs:{region}:{account}:log-group:{name}:log-stream:{stream}"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            _require(action, arn, document, service, source_arn)
        backend.create_log_stream(name, stream)
        now = int(aws.clock.now() * 1000)
        backend.put_log_events(name, stream, [{"timestamp": now, "message": message}])


def _require(
    action: str, arn: str, policy: str | None, service: str, source_arn: str, context: dict[str, str] | None = None
) -> None:
    try:
        decision = service_may(service, Need(action, arn, context or {}), policy or None, source_arn=source_arn)
    except UnknownElement as error:  # as the gate does: not silently allowed
        log.error("denied %s to %s: %s is not known to the embedded AWS", action, service, error)
        raise NotDelivered("NO_PERMISSIONS", f"{error} is not known to the embedded AWS", for_good=True) from None
    if not decision.allowed:
        said = f"User: {service} is not authorized to perform: {action} on resource: {arn} {_why(decision.why)}"
        raise NotDelivered("NO_PERMISSIONS", said, for_good=True)


def _why(why: str) -> str:
    return why.replace("no identity-based policy", "no resource-based policy")

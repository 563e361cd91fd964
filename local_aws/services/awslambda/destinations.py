"""Where the record of an asynchronous invocation goes in the end: a destination, or the dead-letter queue.

It is sent with the function's role, so the role's policies decide.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.awslambda.environment import Result
from local_aws.services.awslambda.functions import LATEST, FunctionName
from local_aws.services.awslambda.invoke_config import Config
from local_aws.services.awslambda.metrics import Measured
from local_aws.services.awslambda.roles import session_for_lambda

log = logging.getLogger("local_aws.lambda")


class Destinations:
    """Sends records."""

    def __init__(self, aws: Aws, metrics: Measured) -> None:
        self._aws = aws
        self._metrics = metrics

    def succeeded(self, event: dict[str, Any], named: FunctionName, config: Config, result: Result) -> None:
        """The function has returned."""
        if config.on_success:
            self._send(named, config, config.on_success, self._record(event, named, "Success", result), "Success")

    def failed(
        self, event: dict[str, Any], named: FunctionName, config: Config, condition: str, result: Result | None
    ) -> None:
        """Nothing will be tried any more."""
        if config.on_failure:
            self._send(named, config, config.on_failure, self._record(event, named, condition, result), "Failure")
        if config.dead_letter:
            self._bury(named, config, event, result)

    def _record(
        self, event: dict[str, Any], named: FunctionName, condition: str, result: Result | None
    ) -> dict[str, Any]:
        now = self._aws.clock.utcnow()
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
            "requestContext": {
                "requestId": event["id"],
                "functionArn": FunctionName(named.region, named.name, named.qualifier or LATEST).arn,
                "condition": condition,
                "approximateInvokeCount": event["attempts"],
            },
            "requestPayload": _loaded(event["payload"]),
        }
        if result is not None:
            context = {"statusCode": 200, "executedVersion": result.version}
            record["responseContext"] = {**context, **({"functionError": result.error} if result.error else {})}
            record["responsePayload"] = _loaded(result.payload)
        return record

    def _send(self, named: FunctionName, config: Config, target: str, record: dict[str, Any], how: str) -> None:
        text = json.dumps(record)
        service = target.split(":")[2]

        def send(client: Any) -> None:
            if service == "sqs":
                client.send_message(QueueUrl=self._queue(target), MessageBody=text)
            elif service == "sns":
                client.publish(TopicArn=target, Message=text)
            elif service == "lambda":
                client.invoke(FunctionName=target, InvocationType="Event", Payload=text)
            elif service == "events":
                entry = {
                    "Source": "lambda",
                    "DetailType": f"Lambda Function Invocation Result - {how}",
                    "Detail": text,
                    "EventBusName": target,
                    "Resources": [target, record["requestContext"]["functionArn"]],
                }
                client.put_events(Entries=[entry])
            else:
                log.error("%s: the embedded AWS does not know the destination %s", named.arn, target)

        self._as_function(named, config, target, send, "DestinationDeliveryFailures")

    def _bury(self, named: FunctionName, config: Config, event: dict[str, Any], result: Result | None) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq."""
        said = _loaded(result.payload) if result else {}
        message = str(said.get("errorMessage", "") if isinstance(said, dict) else said)[:1024]
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": event["id"]},
            "ErrorCode": {"DataType": "Number", "StringValue": "200" if result else "429"},
            **({"ErrorMessage": {"DataType": "String", "StringValue": message}} if message else {}),
        }
        target, text = config.dead_letter, event["payload"].decode()
        service = target.split(":")[2]

        def send(client: Any) -> None:
            if service == "sqs":
                client.send_message(QueueUrl=self._queue(target), MessageBody=text, MessageAttributes=attributes)
            else:
                client.publish(TopicArn=target, Message=text, MessageAttributes=attributes)

        self._as_function(named, config, target, send, "DeadLetterErrors")

    def _queue(self, arn: str) -> str:
        return f"{self._aws.endpoint}/{ACCOUNT}/{arn.split(':')[5]}"

    def _as_function(self, named: FunctionName, config: Config, target: str, send: Any, metric: str) -> None:
        credentials = session_for_lambda(self._aws, config.role, named.unqualified)
        if credentials is None:
            log.error("%s: its role cannot be assumed, the record for %s is lost", named.arn, target)
            self._metrics.counted(named, metric)
            return
        try:
            send(self._aws.client(target.split(":")[2], credentials, named.region))
        except (ClientError, BotoCoreError) as error:
            # On AWS nobody is told but by the metric.
            log.error("%s: the record for %s is lost: %s", named.arn, target, error)
            self._metrics.counted(named, metric)


def _loaded(payload: bytes) -> Any:
    try:
        return json.loads(payload or b"null")
    except ValueError:
        return payload.decode(errors="replace")

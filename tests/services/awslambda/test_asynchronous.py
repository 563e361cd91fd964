"""Events: tried again after one and two minutes, and then sent where the function says, with its role."""

from __future__ import annotations

import json
from typing import Any

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import create, invoke, logged, role

FAILS = """
def handler(event, context):
    print("tried")
    if event["fails"]:
        raise RuntimeError("not today")
    return {"fine": True}
"""


def queue(aws: EmbeddedAws, name: str) -> tuple[str, str]:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def messages(aws: EmbeddedAws, url: str) -> list[dict[str, Any]]:
    sqs = aws.client("sqs")
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return list(found)


def tries(aws: EmbeddedAws) -> int:
    return logged(aws).count("tried\n")


def test_an_event_is_tried_three_times_and_then_buried(aws: EmbeddedAws) -> None:
    url, arn = queue(aws, "dead")
    may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    create(aws, FAILS, role_arn=role(aws, may), DeadLetterConfig={"TargetArn": arn})
    answer = invoke(aws, {"fails": True}, InvocationType="Event")
    assert (answer["StatusCode"], answer["result"]) == (202, None)
    assert tries(aws) == 1
    aws.advance(59)
    assert tries(aws) == 1
    aws.advance(3)
    assert tries(aws) == 2
    assert messages(aws, url) == []
    aws.advance(125)
    assert tries(aws) == 3
    [buried] = messages(aws, url)
    assert json.loads(buried["Body"]) == {"fails": True}
    attributes = {name: value["StringValue"] for name, value in buried["MessageAttributes"].items()}
    assert attributes == {
        "RequestID": answer["ResponseMetadata"]["RequestId"],
        "ErrorCode": "200",
        "ErrorMessage": "not today",
    }


def test_destinations_get_a_record(aws: EmbeddedAws) -> None:
    (good_url, good), (bad_url, bad) = queue(aws, "good"), queue(aws, "bad")
    may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": [good, bad]}
    arn = create(aws, FAILS, role_arn=role(aws, may))
    client = aws.client("lambda")
    destinations = {"OnSuccess": {"Destination": good}, "OnFailure": {"Destination": bad}}
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1, DestinationConfig=destinations)
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0, DestinationConfig=destinations)
    assert client.get_function_event_invoke_config(FunctionName="f")["MaximumRetryAttempts"] == 0
    invoke(aws, {"fails": False}, InvocationType="Event")
    invoke(aws, {"fails": True}, InvocationType="Event")
    aws.advance(1)
    [said] = [json.loads(message["Body"]) for message in messages(aws, good_url)]
    assert said["requestContext"]["condition"] == "Success"
    assert said["requestContext"]["functionArn"] == f"{arn}:$LATEST"
    assert (said["requestPayload"], said["responsePayload"]) == ({"fails": False}, {"fine": True})
    [said] = [json.loads(message["Body"]) for message in messages(aws, bad_url)]
    assert (said["requestContext"]["condition"], said["requestContext"]["approximateInvokeCount"]) == ("RetriesExhausted", 1)  # fmt: skip
    assert said["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}


def test_a_role_that_may_not_send_loses_the_record(aws: EmbeddedAws) -> None:
    url, arn = queue(aws, "dead")
    create(aws, FAILS, DeadLetterConfig={"TargetArn": arn})
    aws.client("lambda").put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    invoke(aws, {"fails": True}, InvocationType="Event")
    aws.advance(1)
    assert tries(aws) == 1
    assert messages(aws, url) == []


def test_an_event_that_is_throttled_waits_until_it_is_too_old(aws: EmbeddedAws) -> None:
    url, arn = queue(aws, "bad")
    may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}
    create(aws, FAILS, role_arn=role(aws, may))
    client = aws.client("lambda")
    destination = {"OnFailure": {"Destination": arn}}
    client.put_function_event_invoke_config(
        FunctionName="f", MaximumEventAgeInSeconds=3600, MaximumRetryAttempts=2, DestinationConfig=destination
    )
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    invoke(aws, {"fails": True}, InvocationType="Event")
    aws.advance(1)
    [said] = [json.loads(message["Body"]) for message in messages(aws, url)]
    assert said["requestContext"]["condition"] == "ZeroReservedConcurrency"
    client.delete_function_concurrency(FunctionName="f")
    invoke(aws, {"fails": True}, InvocationType="Event")
    aws.advance(1)
    client.put_function_event_invoke_config(
        FunctionName="f", MaximumEventAgeInSeconds=60, MaximumRetryAttempts=2, DestinationConfig=destination
    )
    aws.advance(70)
    [said] = [json.loads(message["Body"]) for message in messages(aws, url)]
    assert said["requestContext"]["condition"] == "EventAgeExceeded"

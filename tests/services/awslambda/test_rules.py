"""What Lambda refuses, and states that end."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import archive, create, invoke, role

ECHO = "def handler(event, context): return event"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Timeout": 901}, "ValidationException.*less than or equal to 900"),
        ({"MemorySize": 20_000}, "Member must have value"),
        ({"FunctionName": "a b"}, "ValidationException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys.*AWS_REGION"),
        ({"Environment": {"Variables": {"LARGE": "x" * 4096}}}, "exceeded the 4KB limit"),
        ({"Tags": {"aws:x": "y"}}, "reserved for internal use"),
        ({"Code": {"ZipFile": b"no zip"}}, "Could not unzip uploaded file"),
        ({"Runtime": "nodejs22.x"}, "The embedded AWS runs Python"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:a:1"]}, "does not know layers"),
        ({"Role": "arn:aws:iam::123456789012:role/none"}, "cannot be assumed by Lambda"),
    ],
)
def test_functions_that_are_refused(aws: EmbeddedAws, changed: dict[str, Any], said: str) -> None:
    given = {
        "FunctionName": "f",
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Role": role(aws),
        "Code": {"ZipFile": archive(ECHO)},
    }
    with pytest.raises(ClientError, match=said):
        aws.client("lambda").create_function(**{**given, **changed})
    assert aws.client("lambda").list_functions()["Functions"] == []


def test_a_function_is_pending_at_first(aws: EmbeddedAws) -> None:
    client = aws.client("lambda")
    made = client.create_function(
        FunctionName="f", Runtime="python3.13", Handler="app.handler", Role=role(aws), Code={"ZipFile": archive(ECHO)}
    )
    assert (made["State"], made["LastUpdateStatus"]) == ("Pending", "InProgress")
    with pytest.raises(ClientError, match=r"ResourceConflictException.*in the following state: Pending"):
        invoke(aws)
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    assert invoke(aws, 3)["result"] == 3


def test_payloads(aws: EmbeddedAws) -> None:
    create(aws, "def handler(event, context): return 'x' * event", Timeout=20)
    client = aws.client("lambda")
    assert len(invoke(aws, 6_000_000)["result"]) == 6_000_000
    answer = invoke(aws, 6_300_000)
    assert (answer["FunctionError"], answer["result"]["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
        invoke(aws, "x" * 6_300_000)
    with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
        invoke(aws, "x" * 1_100_000, InvocationType="Event")
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        client.invoke(FunctionName="f", Payload=b"{no json")
    assert invoke(aws, 1, InvocationType="DryRun")["StatusCode"] == 204


def test_configuration_that_moto_drops(aws: EmbeddedAws) -> None:
    client = aws.client("lambda")
    create(aws, ECHO, DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:dead"})
    before = client.get_function_configuration(FunctionName="f")
    assert before["DeadLetterConfig"]["TargetArn"].endswith(":dead")
    client.update_function_configuration(
        FunctionName="f",
        DeadLetterConfig={},
        EphemeralStorage={"Size": 1024},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/own"},
    )
    aws.advance(1)
    after = client.get_function_configuration(FunctionName="f")
    assert "DeadLetterConfig" not in after
    assert (after["EphemeralStorage"]["Size"], after["LoggingConfig"]["LogGroup"]) == (1024, "/own")
    assert after["RevisionId"] != before["RevisionId"]
    with pytest.raises(ClientError, match="PreconditionFailedException"):
        client.update_function_configuration(FunctionName="f", Timeout=9, RevisionId=before["RevisionId"])


def test_code_that_is_refused_changes_nothing(aws: EmbeddedAws) -> None:
    create(aws, ECHO)
    client = aws.client("lambda")
    before = client.get_function_configuration(FunctionName="f")
    with pytest.raises(ClientError, match="Could not unzip uploaded file"):
        client.update_function_code(FunctionName="f", ZipFile=b"no zip")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.update_function_code(FunctionName="f", S3Bucket="none", S3Key="none")
    after = client.get_function_configuration(FunctionName="f")
    assert {k: v for k, v in after.items() if k != "ResponseMetadata"} == {
        k: v for k, v in before.items() if k != "ResponseMetadata"
    }
    assert invoke(aws, 1)["result"] == 1


def test_code_in_s3_is_of_the_version_that_is_named(aws: EmbeddedAws) -> None:
    s3, client = aws.client("s3"), aws.client("lambda")
    s3.create_bucket(Bucket="code")
    s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket="code", Key="f.zip", Body=archive(f"def handler(event, context): return {number}"))["VersionId"]
        for number in (1, 2)
    ]  # fmt: skip
    create(aws, ECHO)
    for number, version in enumerate(versions, start=1):
        client.update_function_code(FunctionName="f", S3Bucket="code", S3Key="f.zip", S3ObjectVersion=version)
        aws.advance(1)
        assert invoke(aws)["result"] == number
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*NoSuch"):
        client.update_function_code(FunctionName="f", S3Bucket="code", S3Key="none")

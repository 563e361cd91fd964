"""Versions stay as they were published; aliases point to one, or to two by their weights."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import archive, create, invoke, role


def test_versions_and_aliases(aws: EmbeddedAws) -> None:
    client = aws.client("lambda")
    arn = create(aws, "def handler(event, context): return [1, context.invoked_function_arn, context.function_version]")
    assert client.publish_version(FunctionName="f")["Version"] == "1"
    assert client.publish_version(FunctionName="f")["Version"] == "1"  # nothing has changed
    code = archive("def handler(event, context): return [2, context.invoked_function_arn, context.function_version]")
    assert client.update_function_code(FunctionName="f", ZipFile=code, Publish=True)["Version"] == "2"
    aws.advance(1)
    client.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="2")
    alias = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert alias["AliasArn"] == f"{arn}:live"
    assert invoke(aws, Qualifier="live")["result"] == [1, f"{arn}:live", "1"]
    assert invoke(aws, name=f"{arn}:live")["ExecutedVersion"] == "1"
    assert invoke(aws, name="f:2")["result"] == [2, f"{arn}:2", "2"]
    assert invoke(aws)["result"] == [2, arn, "$LATEST"]
    client.update_alias(
        FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )  # a canary
    drawn = Counter(invoke(aws, Qualifier="live")["ExecutedVersion"] for _ in range(60))
    assert set(drawn) == {"1", "2"} and min(drawn.values()) > 10
    with pytest.raises(ClientError, match="ResourceConflictException"):
        client.delete_function(FunctionName="f", Qualifier="2")
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={})
    client.delete_function(FunctionName="f", Qualifier="2")
    with pytest.raises(ClientError, match=f"ResourceNotFoundException.*Function not found: {arn}:2"):
        invoke(aws, Qualifier="2")
    client.update_function_configuration(FunctionName="f", Timeout=9)
    aws.advance(1)
    assert client.publish_version(FunctionName="f")["Version"] == "3"  # 2 is not given again


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"1": 0.5}, "already included"),
        ({"$LATEST": 0.5}, "ValidationException"),
        ({"2": 0.1, "3": 0.1}, "cannot be greater than 1"),
        ({"9": 0.1}, "Function not found"),
    ],
)
def test_weights_that_aws_refuses(aws: EmbeddedAws, weights: dict[str, float], said: str) -> None:
    client = aws.client("lambda")
    create(aws, "def handler(event, context): return 1")
    client.publish_version(FunctionName="f")
    with pytest.raises(ClientError, match=said):
        client.create_alias(
            FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": weights}
        )


def test_a_function_that_is_published_at_once(aws: EmbeddedAws) -> None:
    given = {"Runtime": "python3.13", "Handler": "app.handler", "Role": role(aws)}
    code = archive("def handler(event, context): return context.function_version")
    client = aws.client("lambda")
    made = client.create_function(FunctionName="f", Code={"ZipFile": code}, Publish=True, **given)
    assert (made["Version"], made["FunctionArn"].rpartition(":")[2]) == ("1", "1")
    aws.advance(1)
    assert invoke(aws, Qualifier="1")["result"] == "1"
    assert invoke(aws)["result"] == "$LATEST"
    client.delete_function(FunctionName="f")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        invoke(aws)

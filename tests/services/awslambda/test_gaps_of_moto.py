"""What moto still lacks without us. A test that fails here means that moto has closed the gap: take our patch away."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import lambda_backends

Stock = Callable[[str], Any]


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def create(stock: Stock, *, trusts: str = "lambda", archive: bytes = b"", **more: Any) -> Any:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": f"{trusts}.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
    role = stock("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    opened = io.BytesIO()
    with zipfile.ZipFile(opened, "w") as file:
        file.writestr("app.py", "def handler(event, context): return 1")
    given = {"FunctionName": "f", "Runtime": "python3.13", "Handler": "app.handler", "Role": role}
    stock("lambda").create_function(**given, Code={"ZipFile": archive or opened.getvalue()}, **more)
    return stock("lambda")


def test_a_function_is_active_at_once(stock: Stock) -> None:
    client = create(stock)
    said = client.get_function_configuration(FunctionName="f")
    assert (said["State"], said["LastUpdateStatus"], said.get("RevisionId")) == ("Active", "Successful", None)


def test_dead_letters_and_logging_are_dropped(stock: Stock) -> None:
    client = create(stock, DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"}, LoggingConfig={"LogFormat": "JSON"})  # fmt: skip
    said = client.get_function_configuration(FunctionName="f")
    assert "DeadLetterConfig" not in said and "LoggingConfig" not in said
    client.update_function_configuration(FunctionName="f", EphemeralStorage={"Size": 1024})
    assert client.get_function_configuration(FunctionName="f")["EphemeralStorage"]["Size"] == 512


def test_no_archive_and_no_trust_are_taken(stock: Stock) -> None:
    create(stock, trusts="ecs-tasks", archive=b"no zip")


def test_a_function_and_its_aliases_have_one_policy(stock: Stock) -> None:
    client = create(stock)
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    given = {"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    client.add_permission(FunctionName="f", Qualifier="live", **given)
    client.add_permission(FunctionName="f", **given)  # the same Sid
    assert len(json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"]) == 2


def test_invoke_needs_docker(stock: Stock) -> None:
    create(stock)
    moto = lambda_backends["123456789012"]["us-east-1"].get_function("f")
    assert any(name.startswith("docker") for name in moto._invoke_lambda.__code__.co_names)


def test_an_image_with_a_port_in_its_uri(stock: Stock) -> None:
    create(stock)
    client = stock("lambda")
    role = client.get_function_configuration(FunctionName="f")["Role"]
    client.create_function(FunctionName="g", PackageType="Image", Role=role, Code={"ImageUri": "127.0.0.1:80/api:v1"})
    assert client.get_function(FunctionName="g")["Code"]["ResolvedImageUri"].startswith("127.0.0.1@sha256:")


def test_event_invoke_configs_are_never_replaced(stock: Stock) -> None:
    client = create(stock)
    for tries in (1, 0):
        client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=tries)
    assert client.get_function_event_invoke_config(FunctionName="f")["MaximumRetryAttempts"] == 1


def test_a_versions_number_is_given_again_and_weights_are_not_checked(stock: Stock) -> None:
    client = create(stock)
    client.publish_version(FunctionName="f")
    client.update_function_configuration(FunctionName="f", Timeout=9)
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="a", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})  # fmt: skip
    client.delete_function(FunctionName="f", Qualifier="2")  # which the alias needs
    client.update_function_configuration(FunctionName="f", Timeout=8)
    assert client.publish_version(FunctionName="f")["Version"] == "2"

"""What moto still lacks without us. A test that fails here means that moto has closed the gap: take our patch away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.apigateway.models import apigateway_backends

from tests.services.apigateway.apis import document

Stock = Callable[[str], Any]


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield lambda service: boto3.client(service, region_name="us-east-1")


def imported(client: Any) -> str:
    said = document()
    said["info"]["description"] = "without it moto fails"
    del said["paths"]["/models/{name}"]["parameters"]  # of which moto makes a method
    for path, method in (("/health", "get"), ("/predict", "options")):  # a mock without these is a TypeError
        mock = said["paths"][path][method]["x-amazon-apigateway-integration"]
        said["paths"][path][method]["x-amazon-apigateway-integration"] = {**mock, "uri": "x", "httpMethod": "GET"}
    return str(client.import_rest_api(body=json.dumps(said))["id"])


def test_import_reads_neither_keys_nor_models_nor_validators(stock: Stock) -> None:
    client = stock("apigateway")
    api_id = imported(client)
    resources = {r["path"]: r["id"] for r in client.get_resources(restApiId=api_id)["items"]}
    method = client.get_method(restApiId=api_id, resourceId=resources["/predict"], httpMethod="POST")
    assert not method["apiKeyRequired"] and "requestModels" not in method and "requestValidatorId" not in method
    assert client.get_models(restApiId=api_id)["items"] == []
    assert client.get_request_validators(restApiId=api_id)["items"] == []


def test_an_api_without_a_description(stock: Stock) -> None:
    with pytest.raises(KeyError):
        stock("apigateway").import_rest_api(body=json.dumps(document()))


def test_a_deployment_is_no_snapshot_and_replaces_the_stage(stock: Stock) -> None:
    client = stock("apigateway")
    api_id = imported(client)
    first = client.create_deployment(restApiId=api_id, stageName="prod")["id"]
    patch = [{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "5"}]
    settings = client.update_stage(restApiId=api_id, stageName="prod", patchOperations=patch)["methodSettings"]
    assert settings["*/*"]["throttlingBurstLimit"] == 2000
    client.create_deployment(restApiId=api_id, stageName="prod")
    assert client.get_stage(restApiId=api_id, stageName="prod")["methodSettings"] == {}
    deployment = apigateway_backends["123456789012"]["us-east-1"].apis[api_id].deployments[first]
    assert set(vars(deployment)) == {"id", "stage_name", "description", "created_date"}


def test_stages_of_deployments_that_are_not_there(stock: Stock) -> None:
    client = stock("apigateway")
    client.create_stage(restApiId=imported(client), stageName="prod", deploymentId="none")


def test_plans_take_any_stage_and_cut_rates(stock: Stock) -> None:
    client = stock("apigateway")
    plan = client.create_usage_plan(name="p", apiStages=[{"apiId": "none", "stage": "none"}])["id"]
    with pytest.raises(ValueError, match="invalid literal for int"):
        client.update_usage_plan(
            usagePlanId=plan, patchOperations=[{"op": "replace", "path": "/throttle/rateLimit", "value": "0.5"}]
        )


def test_the_account_takes_any_role_and_an_endpoint_is_always_disabled(stock: Stock) -> None:
    client = stock("apigateway")
    patch = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::123456789012:role/none"}]
    assert client.update_account(patchOperations=patch)["cloudwatchRoleArn"].endswith("role/none")
    patch = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "false"}]
    assert client.update_rest_api(restApiId=imported(client), patchOperations=patch)["disableExecuteApiEndpoint"]

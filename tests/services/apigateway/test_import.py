"""OpenAPI files: what is read of them, what is refused, and who may do it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.apigateway.apis import HEALTH, INTEGRATION, document, make


def test_what_is_read(aws: EmbeddedAws) -> None:
    client = aws.client("apigateway")
    made = client.import_rest_api(
        body=yaml.safe_dump(document()).encode(), parameters={"endpointConfigurationTypes": "REGIONAL"}
    )
    assert (made["name"], made["endpointConfiguration"]["types"]) == ("forecasts", ["REGIONAL"])
    resources = {r["path"]: r for r in client.get_resources(restApiId=made["id"], embed=["methods"])["items"]}
    assert set(resources) == {"/", "/predict", "/models", "/models/{name}", "/files", "/files/{path+}", "/health"}
    method = client.get_method(restApiId=made["id"], resourceId=resources["/predict"]["id"], httpMethod="POST")
    assert method["apiKeyRequired"] and method["requestModels"] == {"application/json": "Wanted"}
    assert method["methodIntegration"]["type"] == "AWS_PROXY"
    [validator] = client.get_request_validators(restApiId=made["id"])["items"]
    assert (validator["name"], validator["id"]) == ("all", method["requestValidatorId"])
    schema = json.loads(client.get_model(restApiId=made["id"], modelName="Wanted")["schema"])
    assert schema["properties"]["date"]["$ref"].endswith(f"/restapis/{made['id']}/models/Date")
    again = client.put_rest_api(restApiId=made["id"], mode="overwrite", body=json.dumps(document()))
    assert again["id"] == made["id"]
    assert len(client.get_resources(restApiId=made["id"])["items"]) == len(resources)


def with_operation(**changed: Any) -> dict[str, Any]:
    said = document()
    said["paths"]["/health"]["get"] |= changed
    return said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (document(openapi="3.1.0"), "this is 3.1.0"),
        ({"swagger": "2.0", "info": {}, "paths": {}}, "this is 2.0"),
        ({"openapi": "3.0.1"}, "Invalid OpenAPI input"),
        (document(**{"x-amazon-apigateway-policy": {}}), "does not know x-amazon-apigateway-policy"),
        (document(**{"x-amazon-apigateway-api-key-source": "AUTHORIZER"}), "does not know the API key source"),
        (with_operation(**{"x-amazon-apigateway-request-validator": "none"}), "Invalid request validator: none"),
        (with_operation(security=[{"oauth": []}]), "does not know the security scheme oauth"),
        (with_operation(**{"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}), "does not know x-amazon-apigateway-auth"),
        (
            with_operation(**{"x-amazon-apigateway-integration": {"type": "http", "uri": "http://x", "httpMethod": "GET"}}),
            "does not know integrations of the type HTTP",
        ),
        (
            with_operation(**{"x-amazon-apigateway-integration": {**HEALTH, "requestTemplates": {"a/b": "#set($a = 1)"}}}),
            "does not know mapping templates",
        ),
        (
            with_operation(**{"x-amazon-apigateway-integration": {**INTEGRATION, "httpMethod": "GET"}}),
            "is invoked with POST",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(aws: EmbeddedAws, said: dict[str, Any], message: str) -> None:
    client = aws.client("apigateway")
    with pytest.raises(ClientError, match=f"BadRequestException.*{message}"):
        client.import_rest_api(body=json.dumps(said))
    assert client.get_rest_apis()["items"] == []


def test_a_document_that_cannot_be_read_changes_nothing(aws: EmbeddedAws) -> None:
    api = make(aws)
    client = aws.client("apigateway")
    before = client.get_resources(restApiId=api.id)["items"]
    said = with_operation(security=[{"oauth": []}])
    with pytest.raises(ClientError, match="BadRequestException"):
        client.put_rest_api(restApiId=api.id, mode="overwrite", body=json.dumps(said))
    assert client.get_resources(restApiId=api.id)["items"] == before


def test_a_method_without_an_integration_is_not_deployed(aws: EmbeddedAws) -> None:
    said = document()
    del said["paths"]["/health"]["get"]["x-amazon-apigateway-integration"]
    client = aws.client("apigateway")
    with pytest.raises(ClientError, match="Warnings found during import"):
        client.import_rest_api(body=json.dumps(said), failOnWarnings=True)
    api_id = client.import_rest_api(body=json.dumps(said))["id"]
    with pytest.raises(ClientError, match="No integration defined for method"):
        client.create_deployment(restApiId=api_id, stageName="prod")


def test_a_stage_keeps_its_settings_when_it_is_deployed_again(aws: EmbeddedAws) -> None:
    api = make(aws)
    client = aws.client("apigateway")
    operations = [{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "5"}]
    client.update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    client.create_deployment(restApiId=api.id, stageName="prod")
    stage = client.get_stage(restApiId=api.id, stageName="prod")
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 5
    with pytest.raises(ClientError, match="Active stages pointing to this deployment"):
        client.delete_deployment(restApiId=api.id, deploymentId=stage["deploymentId"])


def test_each_statement_is_needed(aws: EmbeddedAws) -> None:
    api = make(aws)
    root = "arn:aws:apigateway:us-east-1::"
    deploy = {"Effect": "Allow", "Action": "apigateway:POST", "Resource": f"{root}/restapis/*/deployments"}
    keys = aws.new_user("deployer", own={"Version": "2012-10-17", "Statement": [deploy]})
    theirs = aws.client("apigateway", credentials=keys)
    theirs.create_deployment(restApiId=api.id, stageName="prod")
    with pytest.raises(ClientError, match=rf"AccessDeniedException.*apigateway:GET on resource: \S*{root}/restapis/{api.id}"):  # fmt: skip
        theirs.get_rest_api(restApiId=api.id)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        theirs.put_rest_api(restApiId=api.id, body=json.dumps(document()))
    aws.change_policy(
        "arn:aws:iam::123456789012:policy/deployer-own",
        {"Version": "2012-10-17", "Statement": [{**deploy, "Action": "apigateway:GET"}]},
    )
    with pytest.raises(ClientError, match="AccessDeniedException"):
        theirs.create_deployment(restApiId=api.id, stageName="prod")

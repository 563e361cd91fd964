"""A deployed API answers over HTTP: routes, functions, mocks, validation, and AWS's words when something is wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.apigateway.apis import HEALTH, INTEGRATION, Api, document, make


def test_a_function_gets_the_request_and_answers(aws: EmbeddedAws) -> None:
    api = make(aws)
    answer = api.call("GET", "/models/log%20har?date=2026-11-30&a=1&a=2", X_Given="one")
    assert (answer.status, answer.headers["X-Own"], answer.headers["Content-Type"]) == (200, "yes", "application/json")
    event = answer.json
    assert (event["resource"], event["path"]) == ("/models/{name}", "/models/log har")
    assert (event["httpMethod"], event["body"], event["isBase64Encoded"]) == ("GET", None, False)
    assert event["pathParameters"] == {"name": "log har"}
    assert event["queryStringParameters"] == {"date": "2026-11-30", "a": "2"}
    assert event["multiValueQueryStringParameters"]["a"] == ["1", "2"]
    assert event["headers"]["X-Given"] == "one" and event["multiValueHeaders"]["X-Given"] == ["one"]
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["accountId"]) == ("prod", api.id, "123456789012")
    assert context["requestId"] == answer.headers["x-amzn-RequestId"]
    assert event["headers"]["X-Amzn-Trace-Id"] == answer.headers["X-Amzn-Trace-Id"]
    greedy = api.call("PUT", "/files/a/b/c.txt", b"text", Content_Type="text/plain").json
    assert (greedy["pathParameters"], greedy["body"]) == ({"path": "a/b/c.txt"}, "text")


def test_mocks_answer_without_a_function(aws: EmbeddedAws) -> None:
    api = make(aws)
    answer = api.call("GET", "/health")
    assert (answer.status, answer.json) == (200, {"status": "ok", "stage": "prod"})
    assert answer.headers["Cache-Control"] == "no-store"
    preflight = api.call("OPTIONS", "/predict", Origin="https://elsewhere")
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 403, "Missing Authentication Token"),
        ("DELETE", "/health", 403, "Missing Authentication Token"),
        ("GET", "/models/a", 400, "Missing required request parameters: [date]"),
        ("POST", "/predict", 403, "Forbidden"),
    ],
)
def test_what_the_gateway_refuses(aws: EmbeddedAws, method: str, path: str, status: int, message: str) -> None:
    answer = make(aws).call(method, path)
    assert (answer.status, answer.json) == (status, {"message": message})


def test_stages_and_apis_that_do_not_exist(aws: EmbeddedAws) -> None:
    api = make(aws)
    for there in (Api(aws, api.id, "other"), Api(aws, "aaaaaaaaaa")):
        answer = there.call("GET", "/health")
        assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


def test_bodies_are_held_against_the_schema(aws: EmbeddedAws) -> None:
    api = make(aws)
    api.plan("one")
    assert api.call("POST", "/predict", {"date": "2026-11-30"}, key="one").status == 200
    for wrong in ({}, {"date": "tomorrow"}, {"date": "2026-11-30", "more": 1}, b"{", b"[" * 20000, []):
        answer = api.call("POST", "/predict", wrong, key="one")
        assert (answer.status, answer.json) == (400, {"message": "Invalid request body"}), wrong


ANSWERS = """
import json, time
def handler(event, context):
    kind = event["pathParameters"]["path"]
    if kind == "raises":
        raise RuntimeError("inside")
    if kind == "slow":
        time.sleep(20)
    return {
        "no-object": "text",
        "no-status": {"body": "x"},
        "body-object": {"statusCode": 200, "body": {"a": 1}},
        "binary": {"statusCode": 200, "body": "iVBORw==", "isBase64Encoded": True, "headers": {"Content-Type": "image/png"}},
        "several": {"statusCode": 201, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "headers": {"Server": "mine"}},
        "teapot": {"statusCode": 418, "body": "tea"},
        "slow": {"statusCode": 200},
    }[kind]
"""


def test_answers_of_functions(aws: EmbeddedAws) -> None:
    api = make(aws, ANSWERS, document(**{"x-amazon-apigateway-binary-media-types": ["image/png"]}), Timeout=25)
    for malformed in ("no-object", "no-status", "body-object", "raises"):
        answer = api.call("GET", f"/files/{malformed}")
        assert (answer.status, answer.json) == (502, {"message": "Internal server error"}), malformed
    several = api.call("GET", "/files/several")
    assert (several.status, several.headers.get_all("Set-Cookie")) == (201, ["a=1", "b=2"])
    assert several.headers["x-amzn-Remapped-Server"] == "mine"
    assert api.call("GET", "/files/teapot").status == 418
    assert api.call("GET", "/files/binary", Accept="image/png").body == base64.b64decode("iVBORw==")
    assert api.call("GET", "/files/binary", Accept="text/html").body == b"iVBORw=="


def test_binary_requests_arrive_as_base64(aws: EmbeddedAws) -> None:
    api = make(aws, said=document(**{"x-amazon-apigateway-binary-media-types": ["image/png"]}))
    event = api.call("PUT", "/files/a.png", b"\x89PNG", Content_Type="image/png").json
    assert (event["isBase64Encoded"], base64.b64decode(event["body"])) == (True, b"\x89PNG")


def test_an_integration_that_takes_too_long(aws: EmbeddedAws) -> None:
    said = document()
    said["paths"]["/files/{path+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"] = {
        **INTEGRATION,
        "timeoutInMillis": 500,
    }
    api = make(aws, ANSWERS, said, Timeout=25)
    answer = api.call("GET", "/files/slow")
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})


def test_gateway_responses_of_its_own(aws: EmbeddedAws) -> None:
    own = {
        "x-amazon-apigateway-gateway-responses": {
            "DEFAULT_4XX": {
                "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
                "responseTemplates": {
                    "application/json": '{"detail": $context.error.messageString, "id": "$context.requestId"}'
                },
            },
            "MISSING_AUTHENTICATION_TOKEN": {"statusCode": 404},
        }
    }
    api = make(aws, said=document(**own))
    answer = api.call("POST", "/predict", {})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (403, "*")
    assert answer.json == {"detail": "Forbidden", "id": answer.headers["x-amzn-RequestId"]}
    assert api.call("GET", "/nothing").status == 404


def test_a_function_that_lets_nobody_in(aws: EmbeddedAws) -> None:
    api = make(aws)
    functions = aws.client("lambda")
    functions.remove_permission(FunctionName="f", Qualifier="live", StatementId="api")
    answer = api.call("GET", "/files/a")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    functions.add_permission(
        FunctionName="f",
        Qualifier="live",
        StatementId="other",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn="arn:aws:execute-api:us-east-1:123456789012:anotherapi/*",
    )
    assert api.call("GET", "/files/a").status == 500


def test_a_deployment_is_a_snapshot(aws: EmbeddedAws) -> None:
    api = make(aws)
    client = aws.client("apigateway")
    said: dict[str, Any] = document()
    said["paths"]["/new"] = {"get": {"responses": {}, "x-amazon-apigateway-integration": HEALTH}}
    first = client.get_stage(restApiId=api.id, stageName="prod")["deploymentId"]
    client.put_rest_api(restApiId=api.id, mode="overwrite", body=json.dumps(said))
    assert api.call("GET", "/new").status == 403
    client.create_deployment(restApiId=api.id, stageName="prod")
    assert api.call("GET", "/new").status == 200
    operations = [{"op": "replace", "path": "/deploymentId", "value": first}]
    client.update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    assert api.call("GET", "/new").status == 403


def test_stage_variables_choose_the_alias(aws: EmbeddedAws) -> None:
    said = document()
    uri = INTEGRATION["uri"].replace(":live/", ":${stageVariables.alias}/")
    said["paths"]["/files/{path+}"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"] = {
        **INTEGRATION,
        "uri": uri,
    }
    api = make(aws, said=said)
    assert api.call("GET", "/files/a").status == 500
    operations = [{"op": "replace", "path": "/variables/alias", "value": "live"}]
    aws.client("apigateway").update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    answer = api.call("GET", "/files/a")
    assert (answer.status, answer.json["stageVariables"]) == (200, {"alias": "live"})


def test_a_signed_request_is_answered_as_well(aws: EmbeddedAws) -> None:
    api = make(aws)
    assert api.call("GET", "/health", X_Amz_Date="20261130T000000Z", Authorization="AWS4-HMAC-SHA256 x").status == 200


def test_a_body_that_is_too_large(aws: EmbeddedAws) -> None:
    answer = make(aws).call("PUT", "/files/a", b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Too Long"})

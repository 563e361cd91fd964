"""An API for the tests, deployed from an OpenAPI file in front of a function's alias, and how it is called."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import create

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f:live"
INTEGRATION = {
    "type": "aws_proxy",
    "httpMethod": "POST",
    "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations",
    "passthroughBehavior": "when_no_match",
}
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event), "headers": {"X-Own": "yes"}}
"""
HEALTH = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {
        "default": {
            "statusCode": "200",
            "responseTemplates": {"application/json": '{"status": "ok", "stage": "$context.stage"}'},
            "responseParameters": {"method.response.header.Cache-Control": "'no-store'"},
        }
    },
}
PREFLIGHT = {
    "type": "mock",
    "requestTemplates": {"application/json": '{"statusCode": 204}'},
    "responses": {
        "default": {
            "statusCode": "204",
            "responseParameters": {
                "method.response.header.Access-Control-Allow-Origin": "'*'",
                "method.response.header.Access-Control-Allow-Methods": "'POST,OPTIONS'",
            },
        }
    },
}


def document(**more: Any) -> dict[str, Any]:
    """An API as the volatility service has one: a forecast with a key and a schema, a model by its name, a health page."""
    return {
        "openapi": "3.0.1",
        "info": {"title": "forecasts", "version": "1"},
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": True}
        },
        "paths": {
            "/predict": {
                "post": {
                    "x-amazon-apigateway-request-validator": "all",
                    "security": [{"key": []}],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}}
                    },
                    "responses": {"200": {"description": "a forecast"}},
                    "x-amazon-apigateway-integration": INTEGRATION,
                },
                "options": {"responses": {}, "x-amazon-apigateway-integration": PREFLIGHT},
            },
            "/models/{name}": {
                "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {
                    "x-amazon-apigateway-request-validator": "all",
                    "parameters": [{"name": "date", "in": "query", "required": True, "schema": {"type": "string"}}],
                    "responses": {},
                    "x-amazon-apigateway-integration": INTEGRATION,
                },
            },
            "/files/{path+}": {
                "x-amazon-apigateway-any-method": {"responses": {}, "x-amazon-apigateway-integration": INTEGRATION}
            },
            "/health": {"get": {"responses": {}, "x-amazon-apigateway-integration": HEALTH}},
        },
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
            "schemas": {
                "Wanted": {
                    "type": "object",
                    "required": ["date"],
                    "additionalProperties": False,
                    "properties": {"date": {"$ref": "#/components/schemas/Date"}},
                },
                "Date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            },
        },
        **more,
    }


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Api:
    """A deployed API."""

    aws: EmbeddedAws
    id: str
    stage: str = "prod"
    keys: dict[str, str] = field(default_factory=dict)  # name to value

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", stage: str = "", **headers: str
    ) -> Answer:
        """Send a request; `headers` with _ for -. Whatever the status is, it is returned."""
        url = f"{self.aws.endpoint}/_aws/execute-api/{self.id}/{stage or self.stage}{path}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if data is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent["x-api-key"] = self.keys.get(key, key)
        request = Request(url, data, sent, method=method)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def deploy(self, said: dict[str, Any]) -> None:
        """Change the API and deploy it."""
        client = self.aws.client("apigateway")
        client.put_rest_api(restApiId=self.id, mode="overwrite", body=json.dumps(said))
        client.create_deployment(restApiId=self.id, stageName=self.stage)

    def plan(self, name: str, **settings: Any) -> str:
        """A usage plan with one key in it, both of this name; returns the plan's id."""
        client = self.aws.client("apigateway")
        stages = [{"apiId": self.id, "stage": self.stage}]
        made = client.create_usage_plan(name=name, apiStages=stages, **settings)["id"]
        key = client.create_api_key(name=name, enabled=True)
        client.create_usage_plan_key(usagePlanId=made, keyId=key["id"], keyType="API_KEY")
        self.keys[name] = key["value"]
        return str(made)


def make(aws: EmbeddedAws, code: str = ECHO, said: dict[str, Any] | None = None, **function: Any) -> Api:
    """A function with an alias, the API in front of it, deployed, and the permission for it."""
    create(aws, code, **function)
    functions = aws.client("lambda")
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    client = aws.client("apigateway")
    api_id = client.import_rest_api(body=json.dumps(said or document()))["id"]
    allow(aws, api_id)
    client.create_deployment(restApiId=api_id, stageName="prod")
    return Api(aws, api_id)


def allow(aws: EmbeddedAws, api_id: str) -> None:
    """Let the API invoke the alias."""
    aws.client("lambda").add_permission(
        FunctionName="f",
        Qualifier="live",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api_id}/*",
    )

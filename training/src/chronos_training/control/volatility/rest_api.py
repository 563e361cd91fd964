"""A REST API of API Gateway from an OpenAPI file, in front of one function: definition, deployment, stage, access log.

The collection's module configures an API when it makes it and never again, and knows no settings of a stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chronos_training.core import aws
from chronos_training.core.errors import ConfigurationError, TrainingError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
# One line of JSON for each request. Of the caller only the key's id, never its value.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
LOG_FORMAT = json.dumps(
    {
        "time": "$context.requestTime",
        "request": "$context.requestId",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "key": "$context.identity.apiKeyId",
        "source": "$context.identity.sourceIp",
        "milliseconds": "$context.responseLatency",
        "function_milliseconds": "$context.integrationLatency",
        "error": "$context.error.message",
    }
)
_SID = "api-gateway"


@dataclass(frozen=True)
class RestApi:
    """An API as it shall be."""

    name: str
    stage: str
    document: str
    """The OpenAPI file, as text."""
    function_arn: str
    """The function's alias that answers."""
    log_group_arn: str
    log_role_arn: str
    """API Gateway's role in this account, with which it writes logs."""
    rate: float
    """Requests a second to the stage, of all keys together."""
    burst: int
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The region, as the function's ARN has it."""
        return self.function_arn.split(":")[3]

    def definition(self) -> str:
        """Return the OpenAPI file with the function behind each of its operations."""
        said = json.loads(self.document)
        said["info"]["title"] = self.name
        uri = f"arn:aws:apigateway:{self.region}:lambda:path/2015-03-31/functions/{self.function_arn}/invocations"
        integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri, "passthroughBehavior": "when_no_match"}
        for path in said["paths"].values():
            for method in METHODS:
                if method in path:
                    path[method]["x-amazon-apigateway-integration"] = integration
        return json.dumps(said)

    def mark(self) -> str:
        """Return what the deployment of this definition is described as."""
        return f"openapi {hashlib.sha256(self.definition().encode()).hexdigest()[:16]}"

    def stage_settings(self) -> dict[str, Any]:
        """Return the stage's settings by the paths of UpdateStage."""
        return {
            "/accessLogSettings/destinationArn": self.log_group_arn,
            "/accessLogSettings/format": LOG_FORMAT,
            "/*/*/throttling/rateLimit": self.rate,
            "/*/*/throttling/burstLimit": self.burst,
            "/*/*/metrics/enabled": True,
        }


def read_document(path: str) -> str:
    """Return the OpenAPI file. ConfigurationError when it cannot be read or is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        if not isinstance(json.loads(text)["paths"], dict):
            raise TypeError("paths is no object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is no OpenAPI file in JSON: {error}.") from error
    return text


def ensure_present(gateway: Any, functions: Any, wanted: RestApi, *, check_mode: bool) -> dict[str, Any]:
    """Make or change the API, deploy it, and let it invoke the function. Returns changed, api_id, warnings and diff."""
    with aws.explained(f"deploy the API {wanted.name}"):
        found = find(gateway, wanted.name)
        api_id = found["id"] if found else ""
        warnings, lines = _log_role(gateway, wanted, check_mode)
        if found is None:
            lines.append("the API")
            if not check_mode:
                api_id = _make(gateway, wanted)
        elif _lacks(found.get("tags", {}), wanted.tags):
            lines.append("tags of the API")
            if not check_mode:
                gateway.tag_resource(resourceArn=_arn(wanted, api_id), tags=wanted.tags)
        stage = _stage(gateway, api_id, wanted.stage) if found else None
        if stage is None or _deployed(gateway, api_id, stage) != wanted.mark():
            lines.append("the definition")
            if not check_mode:
                _deploy(gateway, api_id, wanted)
                stage = _stage(gateway, api_id, wanted.stage)
        lines += _set_stage(gateway, api_id, wanted, stage or {}, check_mode)
        lines += _permit(functions, api_id, wanted, check_mode)
    diff = {"before": "", "after": "".join(f"{line}\n" for line in lines)}
    return {"changed": bool(lines), "api_id": api_id, "warnings": warnings, "diff": diff}


def ensure_absent(gateway: Any, name: str, *, check_mode: bool) -> dict[str, Any]:
    """Delete the API with its stages. Returns changed."""
    with aws.explained(f"delete the API {name}"):
        found = find(gateway, name)
        if found is not None and not check_mode:
            gateway.delete_rest_api(restApiId=found["id"])
    return {"changed": found is not None}


def find(gateway: Any, name: str) -> dict[str, Any] | None:
    """Return the API of this name. TrainingError when there are several: API Gateway permits that."""
    pages = gateway.get_paginator("get_rest_apis").paginate()
    found = [one for page in pages for one in page["items"] if one["name"] == name]
    if len(found) > 1:
        listed = ", ".join(one["id"] for one in found)
        raise TrainingError(f"There are several APIs {name}: {listed}.", hint="Delete those that answer nobody.")
    return found[0] if found else None


def _make(gateway: Any, wanted: RestApi) -> str:
    made = gateway.create_rest_api(
        name=wanted.name, endpointConfiguration={"types": ["REGIONAL"]}, tags=wanted.tags, description="Being made"
    )
    return str(made["id"])


def _deploy(gateway: Any, api_id: str, wanted: RestApi) -> None:
    """The stage names what is deployed last, so that whatever was interrupted is done again."""
    gateway.put_rest_api(restApiId=api_id, mode="overwrite", failOnWarnings=True, body=wanted.definition().encode())
    gateway.create_deployment(restApiId=api_id, stageName=wanted.stage, description=wanted.mark())


def _stage(gateway: Any, api_id: str, name: str) -> dict[str, Any] | None:
    with contextlib.suppress(gateway.exceptions.NotFoundException):
        found: dict[str, Any] = gateway.get_stage(restApiId=api_id, stageName=name)
        return found
    return None


def _deployed(gateway: Any, api_id: str, stage: dict[str, Any]) -> str:
    return str(gateway.get_deployment(restApiId=api_id, deploymentId=stage["deploymentId"]).get("description", ""))


def _set_stage(gateway: Any, api_id: str, wanted: RestApi, stage: dict[str, Any], check_mode: bool) -> list[str]:
    method = stage.get("methodSettings", {}).get("*/*", {})
    logs = stage.get("accessLogSettings", {})
    now = {
        "/accessLogSettings/destinationArn": logs.get("destinationArn"),
        "/accessLogSettings/format": logs.get("format"),
        "/*/*/throttling/rateLimit": method.get("throttlingRateLimit"),
        "/*/*/throttling/burstLimit": method.get("throttlingBurstLimit"),
        "/*/*/metrics/enabled": method.get("metricsEnabled"),
    }
    differ = {path: value for path, value in wanted.stage_settings().items() if now[path] != value}
    if differ and not check_mode:
        patch = [{"op": "replace", "path": path, "value": _text(value)} for path, value in differ.items()]
        gateway.update_stage(restApiId=api_id, stageName=wanted.stage, patchOperations=patch)
    tagged = not _lacks(stage.get("tags", {}), wanted.tags)
    if not tagged and not check_mode:
        gateway.tag_resource(resourceArn=f"{_arn(wanted, api_id)}/stages/{wanted.stage}", tags=wanted.tags)
    return [f"stage: {path}" for path in differ] + ([] if tagged else ["tags of the stage"])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _log_role(gateway: Any, wanted: RestApi, check_mode: bool) -> tuple[list[str], list[str]]:
    """Give the account's API Gateway a role for its logs. It has one for all APIs of a region: somebody else's is left there."""
    now = gateway.get_account().get("cloudwatchRoleArn", "")
    if now == wanted.log_role_arn:
        return [], []
    if now:
        return [
            f"API Gateway writes logs of this account with {now}: see that it may write {wanted.log_group_arn}."
        ], []
    if not check_mode:
        patch = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": wanted.log_role_arn}]
        gateway.update_account(patchOperations=patch)
    return [], ["the role of API Gateway's logs"]


def _permit(functions: Any, api_id: str, wanted: RestApi, check_mode: bool) -> list[str]:
    """Let the stage invoke the alias, and nobody else through API Gateway."""
    name, _, alias = wanted.function_arn.rpartition(":")
    account = wanted.function_arn.split(":")[4]
    source = f"arn:aws:execute-api:{wanted.region}:{account}:{api_id}/{wanted.stage}/*/*"
    now = _sources(functions, name, alias)
    if now == [source]:
        return []
    if not check_mode:
        if now:
            functions.remove_permission(FunctionName=name, Qualifier=alias, StatementId=_SID)
        functions.add_permission(
            FunctionName=name, Qualifier=alias, StatementId=_SID, Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com", SourceArn=source,
        )  # fmt: skip
    return ["the permission to invoke the function"]


def _sources(functions: Any, name: str, alias: str) -> list[str]:
    with contextlib.suppress(functions.exceptions.ResourceNotFoundException):
        policy = json.loads(functions.get_policy(FunctionName=name, Qualifier=alias)["Policy"])
        ours = [one for one in policy["Statement"] if one["Sid"] == _SID]
        return [str(one.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "")) for one in ours]
    return []


def _arn(wanted: RestApi, api_id: str) -> str:
    return f"arn:aws:apigateway:{wanted.region}::/restapis/{api_id}"


def _lacks(now: dict[str, str], wanted: dict[str, str]) -> bool:
    return not wanted.items() <= now.items()

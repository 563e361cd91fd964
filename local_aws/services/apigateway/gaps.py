"""What moto's API Gateway does otherwise than AWS."""

from __future__ import annotations

import json
from typing import Any

from moto.apigateway.exceptions import BadRequestException, NotFoundException
from moto.apigateway.models import Account, APIGatewayBackend, Deployment, RestAPI, Stage, UsagePlan
from moto.apigateway.responses import APIGatewayResponse

from local_aws.iam.principals import ACCOUNT, find_role, service_may_assume
from local_aws.services.apigateway import openapi, refusals, snapshot
from local_aws.services.apigateway.records import PRINCIPAL
from local_aws.services.patching import replace


def close_gaps() -> None:
    """Patch moto."""
    replace(APIGatewayResponse, import_rest_api=_import, put_rest_api=_put)
    replace(RestAPI, update_integration_mocks=lambda self, name: None)  # they are for tests in one process with moto
    _refuse_early()
    _deployments()
    _stages()
    _usage_plans()


# Import.


def _import(self: APIGatewayResponse) -> Any:
    document = openapi.parse(_body(self))
    types = self.querystring.get("endpointConfigurationTypes", ["EDGE"])[0].split(",")
    info = document.get("info", {})
    if not info.get("title"):
        raise BadRequestException("Invalid OpenAPI input: the title is missing.")
    api = self.backend.create_rest_api(
        info["title"],
        info.get("description"),
        endpoint_configuration={"types": types},  # type: ignore[arg-type]
    )
    try:
        _read(self, api, document, "overwrite")
    except Exception:
        del self.backend.apis[api.id]
        raise
    return 201, {"status": 201}, json.dumps(api.to_dict())


def _put(self: APIGatewayResponse) -> Any:
    """An API that cannot be read stays as it was."""
    api_id = self.path.replace("/restapis/", "", 1).split("/")[0]
    document = openapi.parse(_body(self))
    api = self.backend.get_rest_api(api_id)
    before = _copy(api)
    try:
        _read(self, api, document, self.querystring.get("mode", ["merge"])[0])
    except Exception:
        self.backend.apis[api_id] = before
        raise
    return 200, {}, json.dumps(api.to_dict())


def _read(self: APIGatewayResponse, api: RestAPI, document: dict[str, Any], mode: str) -> None:
    warnings = openapi.read_into(self.backend, api, document, mode)
    if warnings and self.querystring.get("failonwarnings", ["false"])[0] == "true":
        raise BadRequestException("Warnings found during import:\n\t" + "\n\t".join(warnings))


def _body(self: APIGatewayResponse) -> bytes:
    return self.body if isinstance(self.body, bytes) else str(self.body).encode()


def _copy(api: RestAPI) -> RestAPI:
    import copy

    return copy.deepcopy(api)


# What is not known is refused when it is configured.


def _refuse_early() -> None:
    put_method, put_integration = APIGatewayBackend.put_method, APIGatewayBackend.put_integration
    put_response, create, update = (
        APIGatewayBackend.put_integration_response,
        APIGatewayBackend.create_rest_api,
        APIGatewayBackend.update_rest_api,
    )
    patch_account = Account.apply_patch_operations

    def method(self: Any, function_id: str, resource_id: str, method_type: str, authorization_type: Any, *args: Any, **more: Any) -> Any:  # fmt: skip
        refusals.check_authorization(authorization_type)
        return put_method(self, function_id, resource_id, method_type, authorization_type or "NONE", *args, **more)

    def integration(self: Any, function_id: str, resource_id: str, method_type: str, integration_type: str, uri: Any, *args: Any, **more: Any) -> Any:  # fmt: skip
        refusals.check_integration(integration_type, uri, more.get("request_templates"))
        timeout = more.get("timeout_in_millis")
        if timeout is not None and not 50 <= int(timeout) <= 29_000:
            raise BadRequestException("Timeout should be between 50 ms and 29000 ms")
        if integration_type == "AWS_PROXY":
            given = more.get("integration_method") or next(iter(args), "")
            if given and given != "POST":
                raise BadRequestException(f"A Lambda function is invoked with POST, and not with {given}.")
        return put_integration(self, function_id, resource_id, method_type, integration_type, uri, *args, **more)

    def response(self: Any, function_id: str, resource_id: str, method_type: str, status_code: str, pattern: Any, templates: Any, *args: Any, **more: Any) -> Any:  # fmt: skip
        refusals.check_templates(templates)
        return put_response(self, function_id, resource_id, method_type, status_code, pattern, templates, *args, **more)

    def create_rest_api(self: Any, name: str, description: Any, **more: Any) -> Any:
        refusals.check_key_source(more.get("api_key_source"))
        if more.get("policy"):
            raise BadRequestException(refusals.unknown("resource policies"))
        return create(self, name, description, **more)

    def update_rest_api(self: Any, function_id: str, patch_operations: list[dict[str, Any]]) -> Any:
        for operation in patch_operations:
            if operation["path"].startswith("/policy"):
                raise BadRequestException(refusals.unknown("resource policies"))
            if operation["path"] == "/apiKeySource":
                refusals.check_key_source(operation["value"])
        api = update(self, function_id, patch_operations)
        for operation in patch_operations:
            if operation["path"] == "/disableExecuteApiEndpoint":  # of "false" moto makes true
                api.disableExecuteApiEndpoint = operation["value"] == "true"
        return api

    def account(self: Account, patch_operations: list[dict[str, Any]]) -> Account:
        for operation in patch_operations:
            role = find_role(operation.get("value", "")) if operation["path"] == "/cloudwatchRoleArn" else None
            trusted = role is not None and service_may_assume(role, PRINCIPAL, {"aws:sourceaccount": ACCOUNT})
            if operation["path"] == "/cloudwatchRoleArn" and operation.get("value") and not trusted:
                raise BadRequestException(
                    "The role ARN does not have required permissions configured. Please grant trust permission for API "
                    "Gateway and add the required role policy."
                )
        return patch_account(self, patch_operations)

    replace(
        APIGatewayBackend,
        put_method=method,
        put_integration=integration,
        put_integration_response=response,
        create_rest_api=create_rest_api,
        update_rest_api=update_rest_api,
    )
    replace(Account, apply_patch_operations=account)


# Deployments are snapshots, and stages survive them.


def _deployments() -> None:
    delete = RestAPI.delete_deployment

    def create_deployment(self: RestAPI, name: str, description: str, stage_variables: Any = None) -> Deployment:
        from moto.apigateway.utils import ApigwDeploymentIdentifier

        taken = snapshot.take(self)
        identifier = ApigwDeploymentIdentifier(self.account_id, self.region_name, stage_name=name)
        deployment = Deployment(identifier.generate(list(self.deployments)), name, description)
        deployment.local_aws_snapshot = taken  # type: ignore[attr-defined]
        self.deployments[deployment.id] = deployment
        stage = self.stages.get(name) if name else None
        if stage is not None:
            stage.deployment_id = deployment.id
            stage.variables = {**stage.variables, **(stage_variables or {})}
        elif name:
            self.stages[name] = Stage(name=name, deployment_id=deployment.id, variables=stage_variables)
        return deployment

    def delete_deployment(self: RestAPI, deployment_id: str) -> Deployment:
        if any(stage.deployment_id == deployment_id for stage in self.stages.values()):
            raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
        if deployment_id in self.deployments:
            self.deployments[deployment_id].stage_name = ""
        return delete(self, deployment_id)

    replace(RestAPI, create_deployment=create_deployment, delete_deployment=delete_deployment)


def _stages() -> None:
    create, update = RestAPI.create_stage, APIGatewayBackend.update_stage
    patch, defaults = Stage.apply_operations, Stage._get_default_method_settings

    def create_stage(self: RestAPI, name: str, deployment_id: str, *args: Any, **more: Any) -> Stage:
        if deployment_id not in self.deployments:
            raise BadRequestException("Deployment id does not exist")
        return create(self, name, deployment_id, *args, **more)

    def update_stage(self: APIGatewayBackend, function_id: str, stage_name: str, patch_operations: Any) -> Stage:
        api = self.get_rest_api(function_id)
        for operation in patch_operations:
            if operation["path"] == "/deploymentId" and operation["value"] not in api.deployments:
                raise BadRequestException("Deployment id does not exist")
            if operation["path"].startswith("/accessLogSettings/") and not self.account.cloudwatch_role_arn:
                raise BadRequestException("CloudWatch Logs role ARN must be set in account settings to enable logging")
        return update(self, function_id, stage_name, patch_operations)

    def apply_operations(self: Stage, patch_operations: list[dict[str, Any]]) -> Stage:
        """moto takes a method's settings, and cannot give them back."""
        for operation in patch_operations:
            parts = operation["path"].split("/")
            if operation["op"] == "remove" and len(parts) == 3:
                self.method_settings.pop("/".join(parts[1:]), None)
        return patch(self, patch_operations)

    def default_settings(self: Stage) -> dict[str, Any]:
        """Without a limit of its own, a stage has the account's; moto says 1,000."""
        return {**defaults(self), "throttlingRateLimit": 10_000.0, "throttlingBurstLimit": 5_000}

    replace(RestAPI, create_stage=create_stage)
    replace(APIGatewayBackend, update_stage=update_stage)
    replace(Stage, apply_operations=apply_operations, _get_default_method_settings=default_settings)


# Usage plans.


def _usage_plans() -> None:
    create, update, add_key = (
        APIGatewayBackend.create_usage_plan,
        APIGatewayBackend.update_usage_plan,
        APIGatewayBackend.create_usage_plan_key,
    )

    def create_usage_plan(self: APIGatewayBackend, payload: dict[str, Any]) -> UsagePlan:
        for one in payload.get("apiStages") or []:
            _check_stage(self, one["apiId"], one["stage"])
        return create(self, payload)

    def update_usage_plan(self: APIGatewayBackend, usage_plan_id: str, patch_operations: Any) -> UsagePlan:
        for operation in patch_operations:
            if operation["op"] == "add" and operation["path"] == "/apiStages":
                _check_stage(self, *operation["value"].split(":"))
        return update(self, usage_plan_id, patch_operations)

    def create_usage_plan_key(self: APIGatewayBackend, usage_plan_id: str, payload: dict[str, Any]) -> Any:
        self.get_usage_plan(usage_plan_id)  # raises when there is none
        return add_key(self, usage_plan_id, payload)

    replace(
        APIGatewayBackend,
        create_usage_plan=create_usage_plan,
        update_usage_plan=update_usage_plan,
        create_usage_plan_key=create_usage_plan_key,
    )
    patch = UsagePlan.apply_patch_operations

    def apply_patch_operations(self: UsagePlan, patch_operations: list[dict[str, Any]]) -> None:
        left = [operation for operation in patch_operations if not _patch_throttle(self, operation)]
        patch(self, left)

    replace(UsagePlan, apply_patch_operations=apply_patch_operations)


def _patch_throttle(plan: UsagePlan, operation: dict[str, Any]) -> bool:
    """Rates may be fractions, and a method of a stage may have its own; moto knows neither."""
    path, value = operation["path"], operation.get("value")
    name = path.rpartition("/")[2]
    if operation["op"] == "remove" or name not in ("rateLimit", "burstLimit") or "/throttle/" not in path:
        return False
    number = float(value) if name == "rateLimit" else int(value)  # type: ignore[arg-type]
    if path.startswith("/throttle/"):
        plan.throttle[name] = number
        return True
    # /apiStages/API:STAGE/throttle/~1path/GET/rateLimit
    where, _, what = path.removeprefix("/apiStages/").partition("/throttle/")
    api_id, _, stage = where.partition(":")
    method = what.rpartition("/")[0].replace("~1", "/")
    for one in plan.api_stages:
        if (one["apiId"], one["stage"]) == (api_id, stage):
            one.setdefault("throttle", {}).setdefault(method, {})[name] = number
            return True
    raise NotFoundException("Invalid API stage specified")


def _check_stage(backend: APIGatewayBackend, api_id: str, stage: str) -> None:
    api = backend.apis.get(api_id)
    if api is None or stage not in api.stages:
        raise BadRequestException(f"API Stage not found: {api_id}:{stage}")

"""An OpenAPI file becomes an API: resources, methods, models, validators, integrations and gateway responses.

moto reads the paths and their integrations alone; everything else is read here, into moto's own objects.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import APIGatewayBackend, RestAPI

from local_aws.services.apigateway import refusals

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")
_EXTENSION = "x-amazon-apigateway-"
_WHERE = {"query": "querystring", "header": "header", "path": "path"}
# Extensions that change nothing here and lose nothing: AWS ignores them too where they do not apply.
_WITHOUT_MEANING = {"tag-value", "importexport-version", "documentation"}
_READ = {
    "api-key-source", "binary-media-types", "endpoint-configuration", "gateway-responses", "minimum-compression-size",
    "request-validator", "request-validators",
}  # fmt: skip


def parse(body: bytes) -> dict[str, Any]:
    """Return the document in JSON or YAML. BadRequestException when it is none that API Gateway reads."""
    try:
        document = yaml.safe_load(body)
    except (yaml.YAMLError, ValueError) as error:
        raise BadRequestException(f"Invalid OpenAPI input: {error}") from None
    if not isinstance(document, dict) or "paths" not in document:
        raise BadRequestException("Invalid OpenAPI input.")
    if not str(document.get("openapi", "")).startswith("3.0"):
        raise BadRequestException(
            "Invalid OpenAPI input: API Gateway reads OpenAPI 2.0 and 3.0, the embedded AWS 3.0 alone, and this is "
            f"{document.get('openapi') or document.get('swagger')}."
        )
    return document


def read_into(backend: APIGatewayBackend, api: RestAPI, document: dict[str, Any], mode: str) -> list[str]:
    """Put what a document says into an API, `merge` or `overwrite`; returns warnings."""
    return _Reader(backend, api, document, mode).read()


class _Reader:
    def __init__(self, backend: APIGatewayBackend, api: RestAPI, document: dict[str, Any], mode: str) -> None:
        self._backend = backend
        self._api = api
        self._document = document
        self._mode = mode
        self._validators: dict[str, str] = {}  # name to id
        self._warnings: list[str] = []

    def read(self) -> list[str]:
        """Read it all."""
        if self._mode == "overwrite":
            self._empty()
        self._settings()
        for name, schema in (self._document.get("components") or {}).get("schemas", {}).items():
            self._api.add_model(name, schema.get("description", ""), self._schema(schema), "application/json")
        for path, item in sorted(self._document["paths"].items()):
            resource = self._resource(path)
            shared = item.get("parameters", [])
            for name, operation in item.items():
                if name in METHODS:
                    method = "ANY" if name.startswith("x-") else name.upper()
                    self._method(resource, method, operation, shared)
        return self._warnings

    def _empty(self) -> None:
        api = self._api
        root = api.resources[api.root_resource_id]
        root.resource_methods.clear()
        api.resources = {root.id: root}
        for kept in (api.models, api.request_validators, api.gateway_responses):
            kept.clear()

    def _settings(self) -> None:
        document, api = self._document, self._api
        info = document.get("info", {})
        if self._mode == "overwrite" or not api.name:
            api.name, api.description = info.get("title", api.name), info.get("description")
        for key in document:
            if key.startswith(_EXTENSION) and key.removeprefix(_EXTENSION) not in _READ | _WITHOUT_MEANING:
                raise BadRequestException(refusals.unknown(key))
        source = document.get(f"{_EXTENSION}api-key-source")
        if source:
            api.api_key_source = source
        refusals.check_key_source(api.api_key_source)
        if f"{_EXTENSION}binary-media-types" in document:
            api.binaryMediaTypes = list(document[f"{_EXTENSION}binary-media-types"])
        for name, said in document.get(f"{_EXTENSION}request-validators", {}).items():
            self._validators[name] = api.create_request_validator(
                name, said.get("validateRequestBody", False), said.get("validateRequestParameters", False)
            ).id
        for kind, said in document.get(f"{_EXTENSION}gateway-responses", {}).items():
            parameters, templates = said.get("responseParameters") or {}, said.get("responseTemplates") or {}
            status = str(said["statusCode"]) if said.get("statusCode") else None
            api.put_gateway_response(kind, status, parameters, templates)  # type: ignore[arg-type]

    def _resource(self, path: str) -> Any:
        found = self._api.resources[self._api.root_resource_id]
        for part in filter(None, path.split("/")):
            children = [r for r in self._api.resources.values() if r.parent_id == found.id]
            same = next((child for child in children if child.path_part == part), None)
            if same is None and part.startswith("{") and any(child.path_part.startswith("{") for child in children):
                raise BadRequestException(
                    f"Unable to create resource at path '{path}': A sibling ({{...}}) of this resource already has a "
                    "variable path part -- only one is allowed"
                )
            found = same or self._backend.create_resource(self._api.id, found.id, part)
        return found

    def _method(self, resource: Any, name: str, operation: dict[str, Any], shared: list[Any]) -> None:
        self._check_extensions(operation, name)
        validator = operation.get(f"{_EXTENSION}request-validator") or self._document.get(
            f"{_EXTENSION}request-validator"
        )
        if validator and validator not in self._validators:
            raise BadRequestException(f"Invalid request validator: {validator}")
        parameters = {}
        for raw in [*shared, *operation.get("parameters", [])]:
            parameter = self._resolved(raw)
            if parameter["in"] in _WHERE:  # cookies are none of API Gateway's
                where = f"method.request.{_WHERE[parameter['in']]}.{parameter['name']}"
                parameters[where] = bool(parameter.get("required"))
        content = self._resolved(operation.get("requestBody") or {}).get("content", {})
        models = {
            kind: self._model(body["schema"], resource, name) for kind, body in content.items() if "schema" in body
        }
        self._backend.put_method(
            self._api.id,
            resource.id,
            name,
            "NONE",
            api_key_required=self._key_required(operation),
            request_parameters=parameters or None,
            request_models=models or None,
            operation_name=operation.get("operationId"),
            request_validator_id=self._validators.get(validator) if validator else None,
        )
        for code in operation.get("responses", {}):
            self._backend.put_method_response(self._api.id, resource.id, name, str(code), None, None)
        integration = operation.get(f"{_EXTENSION}integration")
        if integration:
            self._integration(resource, name, integration)
        else:
            self._warnings.append(f"{name} {resource.get_path()} has no integration")

    def _check_extensions(self, operation: dict[str, Any], name: str) -> None:
        for key in operation:
            known = {f"{_EXTENSION}integration", f"{_EXTENSION}request-validator"}
            if key.startswith(_EXTENSION) and key not in known and key.removeprefix(_EXTENSION) not in _WITHOUT_MEANING:
                raise BadRequestException(f"{name}: {refusals.unknown(key)}")

    def _key_required(self, operation: dict[str, Any]) -> bool:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-setup-api-keys-with-restapi.html."""
        schemes = (self._document.get("components") or {}).get("securitySchemes", {})
        required = False
        for requirement in operation.get("security", self._document.get("security", [])):
            for name in requirement:
                scheme = schemes.get(name, {})
                if scheme.get("type") != "apiKey" or any(key.startswith(_EXTENSION) for key in scheme):
                    raise BadRequestException(refusals.unknown(f"the security scheme {name}"))
                if scheme.get("in") != "header" or str(scheme.get("name")).lower() != "x-api-key":
                    raise BadRequestException("An API key is in the header x-api-key.")
                required = True
        return required

    def _integration(self, resource: Any, name: str, said: dict[str, Any]) -> None:
        kind = str(said.get("type", "")).upper()
        arguments = {
            "credentials": said.get("credentials"),
            "request_templates": said.get("requestTemplates"),
            "passthrough_behavior": str(said.get("passthroughBehavior", "when_no_match")).upper(),
            "timeout_in_millis": said.get("timeoutInMillis"),
            "request_parameters": said.get("requestParameters"),
            "content_handling": said.get("contentHandling"),
            "connection_type": said.get("connectionType"),
        }
        self._backend.put_integration(
            self._api.id, resource.id, name, kind, said.get("uri", ""), said.get("httpMethod", ""), **arguments
        )
        for pattern, answer in (said.get("responses") or {}).items():
            self._backend.put_integration_response(
                self._api.id,
                resource.id,
                name,
                str(answer["statusCode"]),
                None if pattern == "default" else pattern,  # type: ignore[arg-type]
                dict(answer.get("responseTemplates") or {}),
                dict(answer.get("responseParameters") or {}),
            )

    # Models.

    def _model(self, schema: dict[str, Any], resource: Any, name: str) -> str:
        reference = schema.get("$ref", "")
        if re.fullmatch(r"#/components/schemas/\w+", reference):
            return str(reference.rpartition("/")[2])
        made = "MODEL" + re.sub(r"\W", "", f"{resource.id}{name}")
        self._api.add_model(made, "", self._schema(schema), "application/json")
        return made

    def _schema(self, schema: dict[str, Any]) -> str:
        """As AWS keeps it: references name the API's models."""
        prefix = f"https://apigateway.amazonaws.com/restapis/{self._api.id}/models/"
        return json.dumps(schema).replace("#/components/schemas/", prefix)

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        reference = value.get("$ref")
        if not reference:
            return value
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part)
            if found is None:
                raise BadRequestException(f"Invalid reference: {reference}")
        return found  # type: ignore[no-any-return]

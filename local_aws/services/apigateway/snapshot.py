"""What a deployment is: the API as it was at that moment. Changes of the API are seen when it is deployed again.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import RestAPI

from local_aws.services.apigateway import refusals

DEFAULT_TIMEOUT = 29.0  # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html


@dataclass(frozen=True)
class Answer:
    """What a mock integration answers."""

    status: int
    pattern: str | None
    parameters: dict[str, str]
    templates: dict[str, str]


@dataclass(frozen=True)
class Method:
    """One method of a resource."""

    resource_id: str
    path: str  # with its parameters: /models/{name}
    name: str  # GET, …, or ANY
    key_required: bool
    validate_body: bool
    validate_parameters: bool
    required: tuple[tuple[str, str], ...]  # querystring, header or path, and the name
    schemas: dict[str, str]  # content type to JSON schema
    kind: str  # AWS_PROXY or MOCK
    function: str  # ARN; may have stage variables
    timeout: float
    templates: dict[str, str]  # of the request
    answers: tuple[Answer, ...]

    @property
    def key(self) -> str:
        """As stages and usage plans name it: `/models/{name}/GET`."""
        return f"{self.path}/{self.name}"


@dataclass
class Node:
    """A part of paths."""

    children: dict[str, Node] = field(default_factory=dict)
    parameter: tuple[str, Node] | None = None  # {name}
    greedy: tuple[str, Node] | None = None  # {name+}
    methods: dict[str, Method] = field(default_factory=dict)


@dataclass
class Snapshot:
    """A deployment."""

    root: Node
    binary: tuple[str, ...]
    gateway_responses: dict[str, tuple[int | None, dict[str, str], dict[str, str]]]

    def find(self, method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method of a path and the path's parameters: a literal part is better than {a}, that than {a+}."""
        parts = [part for part in path.split("/") if part]
        for node, parameters in _nodes(self.root, parts):
            found = node.methods.get(method) or node.methods.get("ANY")
            if found:
                return found, parameters
        return None


def _nodes(node: Node, parts: list[str]) -> Any:
    if not parts:
        yield node, {}
        return
    first, rest = parts[0], parts[1:]
    if first in node.children:
        yield from _nodes(node.children[first], rest)
    if node.parameter:
        name, below = node.parameter
        for found, parameters in _nodes(below, rest):
            yield found, {name: first, **parameters}
    if node.greedy:
        name, below = node.greedy
        yield below, {name: "/".join(parts)}


def take(api: RestAPI) -> Snapshot:
    """Return the API as it is. BadRequestException when it cannot be deployed."""
    root = Node()
    for resource in api.resources.values():
        node = root
        for part in filter(None, resource.get_path().split("/")):
            node = _below(node, part)
        for name, method in resource.resource_methods.items():
            node.methods[name] = _method(api, resource, name, method)
    responses = {
        kind: (int(said.status_code) if said.status_code else None, dict(said.response_parameters or {}), dict(said.response_templates or {}))
        for kind, said in api.gateway_responses.items()
    }  # fmt: skip
    return Snapshot(root, tuple(api.binaryMediaTypes or ()), responses)


def _below(node: Node, part: str) -> Node:
    if not part.startswith("{"):
        return node.children.setdefault(part, Node())
    name = part.strip("{}")
    if name.endswith("+"):
        node.greedy = node.greedy or (name[:-1], Node())
        return node.greedy[1]
    node.parameter = node.parameter or (name, Node())
    return node.parameter[1]


def _method(api: RestAPI, resource: Any, name: str, method: Any) -> Method:
    integration = method.method_integration
    if integration is None:
        raise BadRequestException("No integration defined for method")
    kind = integration.integration_type
    validator = api.request_validators.get(method.request_validator_id or "")
    required = [key.split(".", 3)[2:] for key, wanted in (method.request_parameters or {}).items() if _true(wanted)]
    answers = [
        Answer(int(a.status_code), a.selection_pattern or None, dict(a.response_parameters or {}), dict(a.response_templates or {}))
        for a in (integration.integration_responses or {}).values()
    ]  # fmt: skip
    return Method(
        resource_id=resource.id,
        path=resource.get_path(),
        name=name,
        key_required=_true(method.api_key_required),
        validate_body=bool(validator and _true(validator.validate_request_body)),
        validate_parameters=bool(validator and _true(validator.validate_request_parameters)),
        required=tuple((where, what) for where, what in required),
        schemas={kind: _schema(api, model) for kind, model in (method.request_models or {}).items()},
        kind=kind,
        function=refusals.function_of(integration.uri) if kind == "AWS_PROXY" else "",
        timeout=float(integration.timeout_in_millis or DEFAULT_TIMEOUT * 1000) / 1000,
        templates=dict(integration.request_templates or {}),
        answers=tuple(answers),
    )


def _schema(api: RestAPI, model: str) -> str:
    """Return a model's schema with all others as its definitions: they may refer to each other."""
    found = api.models.get(model)
    if found is None:
        if model in ("Empty", "Error"):  # which every API has
            return "{}"
        raise BadRequestException(f"Invalid model identifier specified: {model}")
    prefix = f"https://apigateway.amazonaws.com/restapis/{api.id}/models/"
    definitions = {name: json.loads(other.schema or "{}") for name, other in api.models.items()}
    schema = {**json.loads(found.schema or "{}"), "definitions": definitions}
    return json.dumps(schema).replace(prefix, "#/definitions/")


def _true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"

"""Requests are compared with the method's models and parameters, where it has a validator.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

from jsonschema import Draft4Validator

from local_aws.services.apigateway.snapshot import Method

# What API Gateway does not look at: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_NOT_LOOKED_AT = {"maxItems", "minItems", "exclusiveMinimum", "exclusiveMaximum", "discriminator", "example", "nullable", "readOnly"}  # fmt: skip


def missing_parameters(method: Method, present: dict[str, dict[str, Any]]) -> list[str]:
    """Return the names of required parameters that a request lacks. `present`: querystring, header (lower case), path."""
    if not method.validate_parameters:
        return []
    return [
        name for where, name in method.required if not present[where].get(name.lower() if where == "header" else name)
    ]


def body_errors(method: Method, content_type: str, body: bytes) -> list[str]:
    """Return what is wrong with a body."""
    if not method.validate_body:
        return []
    schema = method.schemas.get(content_type.partition(";")[0].strip().lower() or "application/json")
    if schema is None:
        return []  # no model for this type: nothing is compared
    try:
        value = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return ["Could not parse request body into json"]
    errors = _validator(schema).iter_errors(value)
    return [error.message for error in sorted(errors, key=lambda error: list(map(str, error.path)))]


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Draft4Validator:
    return Draft4Validator(_without(json.loads(schema)))


def _without(schema: Any, *, names: bool = False) -> Any:
    """Leave out what is not looked at. `names`: the keys are names of properties, and not words of JSON schema."""
    if isinstance(schema, list):
        return [_without(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without(value, names=not names and key in ("properties", "definitions", "patternProperties"))
        for key, value in schema.items()
        if names or key not in _NOT_LOOKED_AT
    }

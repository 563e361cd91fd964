"""What the embedded AWS does not know of API Gateway, said when it is configured and not when somebody calls."""

from __future__ import annotations

import re
from typing import Any

from moto.apigateway.exceptions import BadRequestException

from local_aws.services.apigateway.templates import literal

_LAMBDA = re.compile(
    r"arn:aws:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(?P<arn>arn:aws:lambda:.+)/invocations"
)


def unknown(what: str) -> str:
    """Return the sentence."""
    return f"The embedded AWS does not know {what} of API Gateway."


def check_key_source(source: str | None) -> None:
    """Where the key of a request is."""
    if source not in (None, "HEADER"):
        raise BadRequestException(unknown(f"the API key source {source}"))


def check_authorization(kind: str | None) -> None:
    """Who may call a method."""
    if kind not in (None, "NONE"):
        raise BadRequestException(unknown(f"the authorization {kind}"))


def check_integration(kind: str, uri: str | None, templates: dict[str, Any] | None) -> None:
    """What answers a method."""
    if kind == "AWS_PROXY":
        function_of(uri or "")
    elif kind == "MOCK":
        check_templates(templates)
    else:
        raise BadRequestException(unknown(f"integrations of the type {kind}"))


def check_templates(templates: dict[str, Any] | None) -> None:
    """Mapping templates: text with context variables is taken, the Velocity language is not."""
    for text in (templates or {}).values():
        if text and not literal(text):
            raise BadRequestException(unknown("mapping templates with more than $context and $stageVariables"))


def function_of(uri: str) -> str:
    """Return the ARN of the function that an integration invokes; it may have stage variables."""
    found = _LAMBDA.fullmatch(uri)
    if found is None:
        raise BadRequestException(unknown(f"AWS_PROXY integrations that are no functions ({uri})"))
    return found["arn"]

"""What API Gateway refuses by its documents, and what the embedded AWS does not know of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

_NOT_HERE = {
    "CreateAuthorizer": "authorizers",
    "CreateBasePathMapping": "domain names",
    "CreateDomainName": "domain names",
    "CreateVpcLink": "VPC links",
    "GetExport": "exports",
    "ImportApiKeys": "the import of API keys",
    "TestInvokeMethod": "TestInvokeMethod: call a deployed stage",
}
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html and the messages of the service.
_STAGE = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    if action in _NOT_HERE:
        yield Refusal("BadRequestException", f"The embedded AWS does not know {_NOT_HERE[action]} of API Gateway.")
    stage = given.get("stageName")
    if action in ("CreateStage", "CreateDeployment") and stage and not _STAGE.fullmatch(stage):
        yield Refusal("BadRequestException", "Stage name only allows a-zA-Z0-9_-")
    if action == "CreateRestApi" and not given.get("name", "").strip():
        yield Refusal("BadRequestException", "Name cannot be empty")
    tags = [{"Key": key, "Value": value} for key, value in (given.get("tags") or {}).items()]
    yield from tag_refusals(tags, "BadRequestException")

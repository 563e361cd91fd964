"""Functions' own policies: who else may invoke. moto keeps one a function, AWS one for each that was named: function, version, alias.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import GenericResourcNotFound, LambdaClientError, PreconditionFailedException
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse

from local_aws.iam.principals import ACCOUNT
from local_aws.services.awslambda.functions import FunctionName, backend, function_name
from local_aws.services.patching import replace

_Policies = dict[str, dict[str, Any]]  # ARN as it is named, to {"revision", "statements"}


class _Exists(LambdaClientError):
    code = 409

    def __init__(self, sid: str) -> None:
        message = f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
        super().__init__("ResourceConflictException", message)


class _NoStatement(LambdaClientError):
    code = 404

    def __init__(self, sid: str) -> None:
        super().__init__("ResourceNotFoundException", f"Statement {sid} is not found in resource policy.")


def document(arn: str) -> str | None:
    """Return the policy of what `arn` names, or None. For decisions.resource_policies."""
    named = function_name(arn, "")
    found = _all(backend(named.region)).get(named.arn)
    return _text(found["statements"]) if found and found["statements"] else None


def forget(named: FunctionName) -> None:
    """The function, or its version or alias, is deleted."""
    kept = _all(backend(named.region))
    for arn in [a for a in kept if a == named.arn or (not named.qualifier and a.startswith(f"{named.arn}:"))]:
        del kept[arn]


def close_gap() -> None:
    """Patch moto."""
    replace(LambdaBackend, add_permission=_add, remove_permission=_remove, get_policy=_get)
    replace(LambdaResponse, remove_permission=_remove_response)


def _add(self: LambdaBackend, function_name: str, qualifier: str, raw: str) -> dict[str, Any]:
    named = _existing(self, function_name, qualifier)
    given = json.loads(raw)
    policy = _all(self).setdefault(named.arn, {"revision": str(uuid.uuid4()), "statements": []})
    _check(policy, given.get("RevisionId"))
    sid = given["StatementId"]
    if any(statement["Sid"] == sid for statement in policy["statements"]):
        raise _Exists(sid)
    statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(given["Principal"]),
        "Action": given["Action"],
        "Resource": named.arn,
    }
    conditions = {
        **({"StringEquals": {"AWS:SourceAccount": given["SourceAccount"]}} if given.get("SourceAccount") else {}),
        **({"ArnLike": {"AWS:SourceArn": given["SourceArn"]}} if given.get("SourceArn") else {}),
    }
    if conditions:
        statement["Condition"] = conditions
    policy["statements"].append(statement)
    policy["revision"] = str(uuid.uuid4())
    return statement


def _remove(self: LambdaBackend, function_name: str, sid: str, revision: str = "", qualifier: str = "") -> None:
    named = _existing(self, function_name, qualifier)
    policy = _all(self).get(named.arn, {"revision": "", "statements": []})
    _check(policy, revision)
    left = [statement for statement in policy["statements"] if statement["Sid"] != sid]
    if len(left) == len(policy["statements"]):
        raise _NoStatement(sid)
    policy["statements"], policy["revision"] = left, str(uuid.uuid4())


def _get(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> str:
    policy = _all(self).get(_existing(self, function_name, qualifier).arn)
    if not policy or not policy["statements"]:
        raise GenericResourcNotFound()
    return json.dumps({"Policy": _text(policy["statements"]), "RevisionId": policy["revision"]})


def _remove_response(self: LambdaResponse) -> Any:
    """moto's drops the Qualifier."""
    parts = self.path.split("/")
    qualifier = self.querystring.get("Qualifier", [""])[0]
    revision = self.querystring.get("RevisionId", [""])[0]
    self.backend.remove_permission(unquote(parts[-3]), unquote(parts[-1].split("?")[0]), revision, qualifier)  # type: ignore[call-arg]
    return 204, {"status": 204}, ""


def _existing(stored: LambdaBackend, given: str, qualifier: str | None) -> FunctionName:
    named = function_name(given, stored.region_name, qualifier or "")
    stored.get_function(named.name, named.qualifier or None)  # raises when there is none
    return named


def _check(policy: dict[str, Any], revision: str | None) -> None:
    if revision and revision != policy["revision"]:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"
        )


def _all(stored: LambdaBackend) -> _Policies:
    if not hasattr(stored, "local_aws_policies"):
        stored.local_aws_policies = {}
    return stored.local_aws_policies


def _text(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": statements})


def _principal(given: str) -> Any:
    if given == "*":
        return "*"
    if given.endswith((".amazonaws.com", ".amazon.com")):
        return {"Service": given}
    return {"AWS": f"arn:aws:iam::{given}:root" if given.isdigit() and len(given) == len(ACCOUNT) else given}

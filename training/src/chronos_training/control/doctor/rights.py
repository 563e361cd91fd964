"""What the caller may, against what each task needs: IAM simulates every statement of the user policies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws
from chronos_training.core.aws_types import IAMClient
from chronos_training.core.errors import PermissionDenied, TrainingError

from .check_result import CheckResult, Kind, later, lower, note, ok, stop

Json = dict[str, Any]
# IAM answers few simulations a second.
MANY = 4
_TYPES = {"Numeric": "numeric", "Bool": "boolean", "Date": "date", "IpAddress": "ip"}
_SESSION = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/")


@dataclass(frozen=True)
class Question:
    """One statement of a policy as IAM can be asked about it."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: tuple[Any, ...]


def rights(
    caller: str, region: str, policies: list[Json], needed: Iterable[str], provisioned: bool
) -> list[CheckResult]:
    """Return a check result for each of `policies` (name, policy): whether `caller` may all of it.

    `needed` are the names of those without which nobody can launch.
    """
    if caller.endswith(":root"):
        return [ok("rights", "all of them: this is the account's root user")]
    iam = aws.client("iam", region=region)
    try:
        source = _source(iam, caller)
        asked = [(policy, question) for policy in policies for question in questions(policy["policy"], region)]
        with ThreadPoolExecutor(MANY) as pool:
            refused = list(pool.map(lambda one: _refused(iam, source, one[1]), asked))
    except TrainingError as error:
        return [
            CheckResult(
                "rights",
                Kind.UNSEEN,
                f"{lower(str(error))} The checks of the request and the schedule still apply; an "
                "administrator who runs this command sees the rest.",
            )
        ]
    found = []
    for policy in policies:
        lacking = [
            f"{action} ({question.sid})"
            for (one, question), actions in zip(asked, refused, strict=True)
            if one is policy
            for action in actions
        ]
        found.append(_judge(policy, lacking, policy["name"] in set(needed), source, provisioned))
    return found


def _judge(policy: Json, lacking: list[str], needed: bool, source: str, provisioned: bool) -> CheckResult:
    name, purpose = policy["name"], policy["description"].partition(": ")[2] or policy["name"]
    if not lacking:
        return ok("rights", f"{purpose}: all permissions present")
    more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
    text = f"{purpose}: missing {', '.join(lacking[:3])}{more}"
    if not provisioned:
        return later("rights", f"{text}. Provisioning by an administrator creates the policy {name}, which grants them")
    kind = "role" if ":role/" in source else "user"
    account, owner = source.split(":")[4], source.rsplit("/", 1)[-1]
    text += (
        f". An administrator can grant them: aws iam attach-{kind}-policy --{kind}-name {owner} "
        f"--policy-arn arn:aws:iam::{account}:policy/{name}"
    )
    return stop("rights", text) if needed else note("rights", text)


def _source(iam: IAMClient, caller: str) -> str:
    """Return the user or role whose policies count for `caller`, as it is called in IAM."""
    session = _SESSION.match(caller)
    if session is None:
        return caller
    # The session's name has no path, and the role's ARN may have one (those of SSO always).
    try:
        with aws.explained(f"look at the role {session['role']}"):
            return str(iam.get_role(RoleName=session["role"])["Role"]["Arn"])
    except PermissionDenied:
        if session["role"].startswith("AWSReservedSSO_"):
            raise
        return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"


def _refused(iam: IAMClient, source: str, question: Question) -> list[str]:
    """Return the actions of `question` that the policies of `source` do not allow on each of its resources."""
    with aws.explained(f"have IAM simulate the permissions of {source}"):
        try:
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=source,
                ActionNames=list(question.actions),
                ResourceArns=list(question.resources),
                ContextEntries=list(question.context),
            )
            results = [result for page in pages for result in page["EvaluationResults"]]
        except ClientError as error:
            if aws.error_code(error) in {"InvalidInput", "NoSuchEntity", "ValidationError"}:
                raise TrainingError(f"IAM cannot simulate the permissions of {source}.") from error
            raise
    denied = {str(one["EvalActionName"]) for one in results if one["EvalDecision"] != "allowed"}
    return [action for action in question.actions if action in denied]


def questions(policy: Json, region: str) -> list[Question]:
    """Return what to ask IAM for each statement of `policy` that allows something."""
    return [
        Question(
            str(statement.get("Sid", "")),
            tuple(name for action in _listed(statement["Action"]) for name in _askable(action, region)),
            tuple(_concrete(resource, region) for resource in _listed(statement["Resource"])),
            tuple(_context(statement.get("Condition", {}))),
        )
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
    ]


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _askable(action: str, region: str) -> Iterator[str]:
    """Yield `action`, or every operation that its wildcard is about: IAM's simulation takes no wildcards in actions."""
    if "*" not in action:
        yield action
        return
    prefix, _, pattern = action.partition(":")
    operations = aws.client(prefix, region=region).meta.service_model.operation_names
    yield from (f"{prefix}:{name}" for name in operations if fnmatchcase(name, pattern))


def _concrete(resource: str, region: str) -> str:
    """Return a resource that the pattern `resource` is about."""
    if resource == "*":
        return resource
    parts = resource.split(":", 5)
    parts[3] = parts[3].replace("*", region)
    parts[5] = parts[5].replace("*", "x")
    return ":".join(parts)


def _context(conditions: Json) -> Iterable[Json]:
    """Yield the entries of a request that meets `conditions`."""
    for spelled, keys in conditions.items():
        several, _, operator = spelled.rpartition(":")
        for key, values in keys.items():
            value = _listed(values)[0]
            if operator == "Null":
                if value.lower() == "false":
                    yield _entry(key, "string", "x")
                continue
            kind = next((kind for begin, kind in _TYPES.items() if operator.startswith(begin)), "string")
            yield _entry(key, f"{kind}List" if several else kind, value.replace("*", "x"))


def _entry(key: str, kind: str, value: str) -> Json:
    return {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": [value]}

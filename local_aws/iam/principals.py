"""Who calls: the principal behind an access key, with its policies as moto's IAM has them at this moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_aws.home import ACCESS_KEY
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Decision, Need, Statement, decide, parse

ACCOUNT = "123456789012"  # moto's own default; the embedded AWS has one account


@dataclass(frozen=True)
class Principal:
    """A caller. `arn` is what AWS calls it in messages; `names` are the ARNs by which a policy may name it."""

    kind: str  # root, user, role or anonymous
    account: str = ACCOUNT
    arn: str = ""
    names: tuple[str, ...] = ()
    context: dict[str, str | list[str]] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    limits: tuple[tuple[Statement, ...], ...] = ()

    def named(self, statements: Iterable[Statement]) -> Iterator[Statement]:
        """Yield the statements of a resource's policy that speak of this caller."""
        for statement in statements:
            # An account as principal hands the decision to its own policies: as an Allow it grants nothing by itself.
            account = statement.effect == "Deny" or self.kind == "root"
            if _names(statement.principal, self, with_account=account):
                yield statement


class NotRecognized(Exception):
    """The credentials are nobody's: `unknown` key, `expired` session, or a `token` that is not the key's."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def principal_of(access_key: str, token: str | None) -> Principal:
    """Return who signs with `access_key` (and, for a session, `token`). NotRecognized when it is nobody."""
    if access_key == ACCESS_KEY:
        root = f"arn:aws:iam::{ACCOUNT}:root"
        return Principal("root", ACCOUNT, root, (root,), _whose(root, ACCOUNT, "Account"))
    if not access_key:
        return Principal("anonymous", context={"aws:principaltype": "Anonymous"})
    for account, backends in list(iam_backends.items()):
        key = backends["aws"].access_keys.get(access_key)
        if key is None:
            continue
        if key.role_arn is None:
            if token or key.status != "Active":
                raise NotRecognized("token" if token else "unknown")
            return user(account, str(key.user_name))
        session = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
        if session is None or session.session_token != token:
            raise NotRecognized("token")
        if session.expiration < utcnow():
            raise NotRecognized("expired")
        return role_session(account, session.role_arn, session.session_name, session.policy or "")
    raise NotRecognized("unknown")


def user(account: str, name: str) -> Principal:
    """Return an IAM user."""
    backend = iam_backends[account]["aws"]
    found = backend.users[name]
    groups = [group for group in backend.groups.values() if found in group.users]
    statements = [s for entity in (found, *groups) for s in _statements(entity)]
    context = _whose(found.arn, account, "User", backend.tagger.get_tag_dict_for_resource(found.arn))
    return Principal("user", account, found.arn, (found.arn,), context | {"aws:username": name, "aws:userid": found.id},
                     tuple(statements))  # fmt: skip


def role_session(account: str, role_arn: str, session_name: str, session_policy: str = "") -> Principal:
    """Return a session of a role; one of a role that is gone has no permission left."""
    backend = iam_backends[account]["aws"]
    arn = f"arn:aws:sts::{account}:assumed-role/{role_arn.rsplit('/', 1)[-1]}/{session_name}"
    found = find_role(role_arn)
    if found is None:
        return Principal("role", account, arn, (arn, role_arn))
    limits = []
    if found.permissions_boundary_arn:
        boundary = backend.managed_policies[found.permissions_boundary_arn]
        limits.append(parse(_document(boundary), boundary.name))
    if session_policy:
        limits.append(parse(session_policy, "session policy"))
    context = _whose(role_arn, account, "AssumedRole", {tag["Key"]: tag["Value"] for tag in found.tags or []})
    context |= {"aws:userid": f"{found.id}:{session_name}"}
    return Principal("role", account, arn, (arn, role_arn), context, tuple(_statements(found)), tuple(limits))


def find_role(role_arn: str) -> Any:
    """Return moto's role, or None."""
    for backends in list(iam_backends.values()):
        for role in backends["aws"].roles.values():
            if role.arn == role_arn:
                return role
    return None


def may_assume(role: Any, need: Need, caller: Principal) -> Decision:
    """Return whether `caller` may take `role`: its trust policy decides, alone when it names the caller itself."""
    trust = parse(_text(role.assume_role_policy_document), f"trust policy of {role.name}")
    trust = tuple(_about_itself(trust))
    named = tuple(caller.named(trust))
    direct = decide(need, (), named)
    if direct.allowed or direct.by:
        return direct
    delegated = tuple(s for s in trust if _names(s.principal, caller, with_account=True))
    if decide(need, (), delegated).allowed:
        return decide(need, caller.statements, (), caller.limits)
    return direct


def service_may_assume(role: Any, service: str, context: dict[str, str]) -> bool:
    """Return whether the trust policy lets an AWS service take the role. `context` has the service's aws:Source keys."""
    trust = _about_itself(parse(_text(role.assume_role_policy_document), f"trust policy of {role.name}"))
    mine = [s for s in trust if isinstance(s.principal, dict) and service in _listed(s.principal.get("Service"))]
    return decide(Need("sts:AssumeRole", role.arn, {"aws:principalisawsservice": "true", **context}), (), mine).allowed


def federated_may_assume(role: Any, provider: str, need: Need) -> bool:
    """Return whether the trust policy lets users of an identity provider (its ARN) take the role, as `need` says."""
    trust = _about_itself(parse(_text(role.assume_role_policy_document), f"trust policy of {role.name}"))
    theirs = [s for s in trust if isinstance(s.principal, dict) and provider in _listed(s.principal.get("Federated"))]
    return decide(need, (), theirs).allowed


def _about_itself(trust: Iterable[Statement]) -> Iterator[Statement]:
    for statement in trust:
        if statement.resources is not None or statement.not_resources is not None:
            raise UnknownElement(f"the policy element Resource in the {statement.policy}")
        yield statement


def _statements(entity: Any) -> Iterator[Statement]:
    """The inline and the attached policies of a user, a group or a role."""
    for name, document in entity.policies.items():
        yield from parse(_text(document), name)
    for policy in entity.managed_policies.values():
        yield from parse(_document(policy), policy.name)


def _document(policy: Any) -> str:
    [version] = [v for v in policy.versions if v.version_id == policy.default_version_id]
    return _text(version.document)


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _whose(arn: str, account: str, kind: str, tags: dict[str, str] | None = None) -> dict[str, str | list[str]]:
    context: dict[str, str | list[str]] = {
        "aws:principalarn": arn,
        "aws:principalaccount": account,
        "aws:principaltype": kind,
    }
    return context | {f"aws:principaltag/{key.lower()}": value for key, value in (tags or {}).items()}


def _names(principal: Any, caller: Principal, *, with_account: bool) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        raise UnknownElement(f"the principal {principal!r}")
    listed = _listed(principal.get("AWS"))
    accounts = {caller.account, f"arn:aws:iam::{caller.account}:root"} if with_account else set()
    return "*" in listed or bool(accounts & listed) or bool(set(caller.names) & listed)


def names_account(principal: Any, account: str) -> bool:
    """Return whether a statement's principal is the account as a whole, which leaves it to the account's own policies."""
    listed = _listed(principal.get("AWS")) if isinstance(principal, dict) else set()
    return bool({account, f"arn:aws:iam::{account}:root"} & listed)


def _listed(value: Any) -> set[str]:
    return set(map(str, value)) if isinstance(value, list) else {str(value)} if value else set()

"""What IAM refuses by its documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: without white space; inline ones together
_MANAGED_POLICY, _TRUST_POLICY = 6144, 2048
_INLINE_POLICIES = {"Role": 10240, "Group": 5120, "User": 2048}


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    yield from tag_refusals(given.get("Tags", []), "InvalidInput", unique=True, ignore_case=True)
    document = given.get("PolicyDocument") or given.get("AssumeRolePolicyDocument") or ""
    size = _size_of_policy(document)
    if action in ("CreatePolicy", "CreatePolicyVersion") and size > _MANAGED_POLICY:
        yield _too_large("PolicySize", _MANAGED_POLICY)
    if action in ("CreateRole", "UpdateAssumeRolePolicy"):
        trust = _size_of_policy(given.get("AssumeRolePolicyDocument") or given.get("PolicyDocument") or "")
        if trust > _TRUST_POLICY:
            yield _too_large("ACLSizePerRole", _TRUST_POLICY)
    for kind, limit in _INLINE_POLICIES.items():
        if action == f"Put{kind}Policy":
            others = _inline_policies(kind, given.get(f"{kind}Name", "")) | {given.get("PolicyName", ""): document}
            if sum(map(_size_of_policy, others.values())) > limit:
                yield _too_large(f"maximum policy size of {limit} bytes exceeded for {kind.lower()}", limit)


def _size_of_policy(document: Any) -> int:
    return len("".join((document if isinstance(document, str) else json.dumps(document)).split()))


def _inline_policies(kind: str, name: str) -> dict[str, Any]:
    for backends in list(iam_backends.values()):
        entity: Any = getattr(backends["aws"], f"{kind.lower()}s").get(name)
        if kind == "Role":
            entity = next((role for role in backends["aws"].roles.values() if role.name == name), None)
        if entity is not None:
            return dict(entity.policies)
    return {}


def _too_large(what: str, limit: int) -> Refusal:
    return Refusal("LimitExceeded", f"Cannot exceed quota for {what}: {limit}", 409)

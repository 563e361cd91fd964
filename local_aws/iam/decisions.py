"""Decisions about a need of a caller, and a note of each, so that tests can say which statement allowed what.

The caller of these functions holds the lock over moto's state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from local_aws.iam import policies
from local_aws.iam.policies import Decision, Need, Statement, parse
from local_aws.iam.principals import Principal, find_role, may_assume, names_account

# principal, action, resource, allowed, statements; how often
_notes: Counter[tuple[str, str, str, bool, tuple[str, ...]]] = Counter()


def decide_and_note(need: Need, caller: Principal) -> Decision:
    """Decide, and note it unless the caller is the account's root."""
    decision = decide(need, caller)
    if caller.kind != "root":
        who = caller.names[-1] if caller.names else "anonymous"  # of a session, the role
        _notes[(who, need.action, need.resource, decision.allowed, tuple(s.name for s in decision.by))] += 1
    return decision


def noted() -> list[dict[str, Any]]:
    """Return the notes since forget()."""
    return [
        {"principal": who, "action": action, "resource": resource, "allowed": allowed, "by": by, "count": count}
        for (who, action, resource, allowed, by), count in sorted(_notes.items())
    ]


def forget() -> None:
    """Clear the notes."""
    _notes.clear()


def decide(need: Need, caller: Principal) -> Decision:
    """Return whether `caller` may: its own policies and the resource's, as they are at this moment."""
    if need.action == "sts:AssumeRole":
        role = find_role(need.resource)
        return (
            may_assume(role, need, caller) if role is not None else Decision(False, (), "because there is no such role")
        )
    theirs = tuple(caller.named(_resource_statements(need.resource)))
    if need.action.startswith("kms:") and ":key/" in need.resource and not _delegated(need, caller):
        # A key's policy comes first: IAM policies count only where it says so.
        return policies.decide(need, (), theirs, caller.limits)
    if caller.kind == "root":
        denying = tuple(s for s in theirs if s.effect == "Deny")
        return policies.decide(need, (_EVERYTHING,), denying)
    return policies.decide(need, caller.statements, theirs, caller.limits)


def _delegated(need: Need, caller: Principal) -> bool:
    """Return whether a key's policy leaves this to the account's IAM policies.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam
    """
    statements = _resource_statements(need.resource)
    return not statements or any(
        one.effect == "Allow" and names_account(one.principal, caller.account) and one.covers(need)
        for one in statements
    )


[_EVERYTHING] = parse('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}', "root")


# A service to what returns the policy of one of its resources, by ARN: services add theirs when they are opened.
resource_policies: dict[str, Callable[[str], str | None]] = {}


def _resource_statements(arn: str) -> tuple[Statement, ...]:
    """The policy of the resource that `arn` is of, if it has one."""
    service, region, account, name = ([*arn.split(":", 5)[2:], "", "", "", ""])[:4]
    if service == "s3":
        return bucket_statements(name.split("/", 1)[0])
    if service in resource_policies:
        document = resource_policies[service](arn)
        return parse(document, f"policy of {arn}") if document else ()
    queue = sqs_backends[account][region].queues.get(name) if service == "sqs" and name else None
    return parse(queue.policy, f"policy of {name}") if queue is not None and queue.policy else ()


def bucket_statements(name: str) -> tuple[Statement, ...]:
    """Return the statements of a bucket's policy."""
    found = bucket(name)
    return parse(found.policy.decode(), f"policy of {name}") if found is not None and found.policy else ()


def bucket(name: str) -> Any:
    """Return moto's bucket, or None."""
    for backends in list(s3_backends.values()):
        if name in backends["aws"].buckets:
            return backends["aws"].buckets[name]
    return None

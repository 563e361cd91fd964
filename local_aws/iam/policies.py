"""Policy documents, and how their statements add up to a decision.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local_aws.iam.conditions import Context, UnknownElement, fill, holds, matches

_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


@dataclass(frozen=True)
class Need:
    """One thing that a request needs to be allowed. `resource` is an ARN or *."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement of a policy. None where it does not have the element."""

    policy: str
    sid: str
    effect: str
    principal: Any
    actions: tuple[str, ...] | None
    not_actions: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    not_resources: tuple[str, ...] | None
    conditions: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.policy}/{self.sid}"

    def covers(self, need: Need) -> bool:
        """Return whether it speaks of this action on this resource under these conditions. UnknownElement, see there."""
        action = need.action.lower()
        if self.actions is not None:
            if not any(matches(action, one) for one in self.actions):
                return False
        elif any(matches(action, one) for one in self.not_actions or ()):
            return False
        if self.resources is not None:
            if not any(_on(need, one) for one in self.resources):
                return False
        elif self.not_resources is not None and any(_on(need, one) for one in self.not_resources):
            return False
        return holds(self.conditions, need.context)


def _on(need: Need, pattern: str) -> bool:
    filled = fill(pattern, need.context)
    return filled is not None and matches(need.resource, filled)


@functools.lru_cache(maxsize=1024)
def parse(text: str, policy: str) -> tuple[Statement, ...]:
    """Return the statements of a policy document. `policy` is the name by which decisions speak of it."""
    statements = json.loads(text).get("Statement", [])
    every = statements if isinstance(statements, list) else [statements]
    return tuple(_statement(raw, policy, index) for index, raw in enumerate(every))


def _statement(raw: dict[str, Any], policy: str, index: int) -> Statement:
    unknown = set(raw) - _ELEMENTS
    if unknown:
        raise UnknownElement(f"the policy element {', '.join(sorted(unknown))} in {policy}")
    actions, not_actions = _texts(raw.get("Action")), _texts(raw.get("NotAction"))
    return Statement(
        policy,
        str(raw.get("Sid") or f"statement {index + 1}"),
        str(raw["Effect"]),
        raw.get("Principal"),
        tuple(a.lower() for a in actions) if actions is not None else None,
        tuple(a.lower() for a in not_actions) if not_actions is not None else None,
        _texts(raw.get("Resource")),
        _texts(raw.get("NotResource")),
        raw.get("Condition") or {},
    )


def _texts(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


@dataclass(frozen=True)
class Decision:
    """`by` are the statements that allowed, or the one that denied; empty when nothing allowed."""

    allowed: bool
    by: tuple[Statement, ...] = ()
    why: str = ""


def decide(
    need: Need,
    identity: Iterable[Statement],
    resource: Iterable[Statement] = (),
    limits: Iterable[tuple[Statement, ...]] = (),
) -> Decision:
    """Return the decision: an explicit Deny anywhere wins; without an Allow it is denied.

    `identity` are the caller's own statements, `resource` those of the resource's policy that name the caller; each of
    `limits` (a permissions boundary, a session's policy) must allow as well.
    """
    own, theirs, bounds = tuple(identity), tuple(resource), tuple(limits)
    for kind, statements in (("identity", own), ("resource", theirs), ("identity", sum(bounds, ()))):
        for statement in statements:
            if statement.effect == "Deny" and statement.covers(need):
                return Decision(False, (statement,), f"with an explicit deny in {_an(kind)}-based policy")
    allowing = tuple(s for s in (*own, *theirs) if s.effect == "Allow" and s.covers(need))
    if not allowing:
        return Decision(False, (), f"because no identity-based policy allows the {need.action} action")
    for bound in bounds:
        if not any(s.effect == "Allow" and s.covers(need) for s in bound):
            return Decision(
                False, (), f"because no permissions boundary or session policy allows the {need.action} action"
            )
    return Decision(True, allowing)


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"

"""SimulatePrincipalPolicy: what a user or role may, by the same decisions that every request here meets.

moto does not have it. As on AWS, an action has no wildcard, each action is judged on each resource, with the context that
the request gives; the policies of resources, and sessions' own, are not part of it.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException, ValidationError
from moto.iam.responses import IamResponse

from local_aws.iam.policies import Need, decide
from local_aws.iam.principals import Principal, find_role, role_session, user


def close_gap() -> None:
    def simulate_principal_policy(self: IamResponse) -> ActionResult:
        who = _principal(self.current_account, str(self._get_param("PolicySourceArn")))
        context = {
            entry["ContextKeyName"].lower(): _value(entry) for entry in self._get_param("ContextEntries", []) or []
        }
        actions = self._get_param("ActionNames", [])
        if any("*" in action for action in actions):
            raise ValidationError(f"Invalid Action Name: {', '.join(a for a in actions if '*' in a)}")
        results = [
            _judge(who, Need(action, resource, {**who.context, **context}))
            for action in actions
            for resource in self._get_param("ResourceArns", []) or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    IamResponse.simulate_principal_policy = simulate_principal_policy


def _principal(account: str, arn: str) -> Principal:
    kind, _, path = arn.split(":", 5)[5].partition("/") if arn.count(":") == 5 else ("", "", "")
    name = path.rsplit("/", 1)[-1]
    if kind == "user":
        try:
            return user(account, name)
        except KeyError:
            raise NotFoundException(f"The user with name {name} cannot be found.") from None
    if kind == "role":
        if find_role(arn) is None:
            raise NotFoundException(f"The role with name {name} cannot be found.")
        return role_session(account, arn, "simulated")
    raise ValidationError(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")


def _value(entry: dict[str, Any]) -> str | list[str]:
    values = [str(value) for value in entry.get("ContextKeyValues", [])]
    return values if str(entry.get("ContextKeyType", "")).endswith("List") else values[0]


def _judge(who: Principal, need: Need) -> dict[str, Any]:
    decision = decide(need, who.statements, (), who.limits)
    said = "allowed" if decision.allowed else "explicitDeny" if decision.by else "implicitDeny"
    return {
        "EvalActionName": need.action,
        "EvalResourceName": need.resource,
        "EvalDecision": said,
        "MatchedStatements": [],
        "MissingContextValues": [],
    }

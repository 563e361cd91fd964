"""A role as an AWS service takes it: its trust policy is asked, and what the service then does is the role's session's.

Also whether a resource's own policy lets a service in: a topic that EventBridge publishes to, a function that S3 invokes.
"""

from __future__ import annotations

from typing import Any

from moto.sts.models import sts_backends

from local_aws.home import REGION
from local_aws.iam import policies
from local_aws.iam.policies import Decision, Need, Statement, parse
from local_aws.iam.principals import ACCOUNT, find_role, service_may_assume


class NotAssumable(Exception):
    """The service may not take the role. `args[0]` is for a person."""


def credentials_for(
    role_arn: str, service: str, session_name: str, *, source_arn: str = "", seconds: int = 3600
) -> dict[str, str]:
    """Return AccessKeyId, SecretAccessKey, SessionToken and Expiration (ISO 8601) of a new session. Hold the lock.

    `service` is the principal (`scheduler.amazonaws.com`); `source_arn` what it acts for, as aws:SourceArn in a condition
    of the trust policy. NotAssumable when there is no such role or it does not trust the service for that.
    """
    role = find_role(role_arn)
    context = {"aws:sourceaccount": ACCOUNT, **({"aws:sourcearn": source_arn} if source_arn else {})}
    if role is None:
        raise NotAssumable(f"There is no role {role_arn}.")
    if not service_may_assume(role, service, context):
        raise NotAssumable(f"{service} may not assume {role_arn}: its trust policy does not allow it.")
    session = sts_backends[ACCOUNT]["aws"].assume_role(
        region_name=REGION,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=seconds,
        external_id="",
    )
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def service_may(service: str, need: Need, policy: Any, *, source_arn: str = "", name: str = "") -> Decision:
    """Return whether a resource's `policy` (a document as text, or None) lets an AWS service do what it needs.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
    """
    statements = parse(policy, name or f"policy of {need.resource}") if policy else ()
    context = {
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
        "aws:securetransport": "true",
        "aws:sourceaccount": ACCOUNT,
        **({"aws:sourcearn": source_arn} if source_arn else {}),
        **need.context,
    }
    mine = tuple(statement for statement in statements if _is_for(statement, service))
    return policies.decide(Need(need.action, need.resource, context), (), mine)


def _is_for(statement: Statement, service: str) -> bool:
    named = statement.principal
    if named == "*":
        return True
    if not isinstance(named, dict):
        return False
    listed = named.get("Service", [])
    return service in ([listed] if isinstance(listed, str) else listed) or named.get("AWS") == "*"

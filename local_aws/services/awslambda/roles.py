"""A function's role: for its environments, which have keys that end, and for what Lambda itself does in its name."""

from __future__ import annotations

from datetime import datetime

from local_aws.iam.service_roles import NotAssumable, credentials_for
from local_aws.services.aws import Aws
from local_aws.services.role_clients import session_in_role

PRINCIPAL = "lambda.amazonaws.com"
_SECONDS = 12 * 3600  # that an environment's keys last; longer only where it is kept idle for longer
_EARLY = 1800  # seconds before their end when a new environment is made: no invocation runs longer than 15 minutes


def keys_for_environment(aws: Aws, role: str, function_arn: str, idle_seconds: float) -> dict[str, str]:
    """Return keys of a session of its own. NotAssumable when Lambda may not take the role."""
    name = function_arn.split(":function:")[-1].partition(":")[0]
    seconds = max(_SECONDS, int(idle_seconds))
    with aws.lock:
        return credentials_for(role, PRINCIPAL, name, source_arn=function_arn, seconds=seconds)


def end_soon(aws: Aws, keys: dict[str, str]) -> bool:
    """Whether keys end before an invocation that starts now would."""
    end = datetime.fromisoformat(keys["Expiration"].replace("Z", "+00:00"))
    return end.timestamp() - aws.clock.now() < _EARLY


def session_for_lambda(aws: Aws, role: str, function_arn: str) -> dict[str, str] | None:
    """Return what Lambda writes logs and sends records with; None when it may not take the role (any more)."""
    try:
        return session_in_role(aws, role, principal=PRINCIPAL, session_name="lambda", source_arn=function_arn)
    except NotAssumable:
        return None

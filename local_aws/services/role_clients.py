"""Clients with which an AWS service acts in a role that somebody gave it.

The role's trust policy is asked at each use; its session, which nobody sees, lasts, so that a schedule of every minute
does not fill STS.
"""

from __future__ import annotations

from typing import Any

from local_aws.home import REGION
from local_aws.iam.principals import ACCOUNT, find_role, service_may_assume
from local_aws.iam.service_roles import NotAssumable, credentials_for
from local_aws.services.aws import Aws

_LASTING = 100 * 365 * 86400  # seconds


def client_in_role(
    aws: Aws,
    api: str,
    role_arn: str,
    *,
    principal: str,
    session_name: str,
    source_arn: str,
    region: str = REGION,
) -> Any:
    """Return a client of `api` (botocore's name) in the role, for the service `principal`. NotAssumable. No lock held."""
    session = session_in_role(aws, role_arn, principal=principal, session_name=session_name, source_arn=source_arn)
    return aws.client(api, session, region)


def session_in_role(
    aws: Aws, role_arn: str, *, principal: str, session_name: str, source_arn: str = ""
) -> dict[str, str]:
    """Return the session's credentials, as iam/service_roles.py does. NotAssumable. Takes the lock for a moment."""
    which = (role_arn, principal, session_name, source_arn)
    with aws.lock:
        role = find_role(role_arn)
        context = {"aws:sourceaccount": ACCOUNT, **({"aws:sourcearn": source_arn} if source_arn else {})}
        if role is None or not service_may_assume(role, principal, context):
            raise NotAssumable(f"{principal} may not assume {role_arn}.")
        if which not in aws.sessions:
            aws.sessions[which] = credentials_for(
                role_arn, principal, session_name, source_arn=source_arn, seconds=_LASTING
            )
        return aws.sessions[which]

"""What an STS request needs."""

from __future__ import annotations

from local_aws.calls import Call
from local_aws.iam.policies import Need


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    if call.action == "GetCallerIdentity":
        return []  # nobody can be denied this one, says its documentation
    if call.action == "AssumeRole":
        context = {"sts:rolesessionname": call.parameters.get("RoleSessionName", "")}
        if "ExternalId" in call.parameters:
            context["sts:externalid"] = call.parameters["ExternalId"]
        return [Need("sts:AssumeRole", call.parameters.get("RoleArn", ""), context)]
    if call.action == "AssumeRoleWithWebIdentity":
        return []  # the token and the role's trust policy decide: local_aws/services/sts
    return None

"""The role by which ECS works in an account: one for all clusters, made by whoever comes first and kept.

An account that never used ECS has none. ECS makes it with the first cluster of somebody who may create it; for anybody else
that cluster fails ("Unable to assume the service linked role").
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles-for-clusters.html
"""

from __future__ import annotations

from typing import Any

from chronos_training.core import aws
from chronos_training.core.aws_types import IAMClient

SERVICE = "ecs.amazonaws.com"
NAME = "AWSServiceRoleForECS"


def ensure_present(iam: IAMClient, *, check_mode: bool) -> dict[str, Any]:
    """Make the role unless the account has it."""
    with aws.explained(f"look for the role {NAME}"):
        try:
            iam.get_role(RoleName=NAME)
        except iam.exceptions.NoSuchEntityException:
            missing = True
        else:
            missing = False
    if missing and not check_mode:
        with aws.explained(f"make the role {NAME}"):
            iam.create_service_linked_role(AWSServiceName=SERVICE)
    return {"changed": missing}

"""Names of service-linked roles: moto writes AWSServiceRoleForecs where AWS writes AWSServiceRoleForECS.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles-for-clusters.html
"""

from __future__ import annotations

from moto.iam.models import SERVICE_NAME_CONVERSION


def close_gap() -> None:
    """Let moto know how AWS writes them."""
    SERVICE_NAME_CONVERSION["ecs"] = "ECS"

"""Where RunTask puts tasks: the launch type or the capacity providers, and the network."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError, InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.ecs.models import Cluster, TaskDefinition

from local_aws.iam.principals import ACCOUNT
from local_aws.services.ecs.errors import EcsClientException, InvalidParameterException

FARGATE, SPOT = "FARGATE", "FARGATE_SPOT"
_MOST_SUBNETS, _MOST_GROUPS = 16, 5


def providers(
    cluster: Cluster, launch_type: str | None, strategy: list[dict[str, Any]] | None, count: int
) -> list[str | None]:
    """Return the capacity provider of each of `count` tasks; None for launch type FARGATE. InvalidParameterException.

    Without either, the cluster's default strategy counts.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
    """
    if launch_type and strategy:
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if launch_type == FARGATE:
        return [None] * count
    strategy = strategy or ([] if launch_type else cluster.default_capacity_provider_strategy or [])
    if launch_type or not strategy:  # EC2
        raise InvalidParameterException("No Container Instances were found in your cluster.")
    for one in strategy:
        if one["capacityProvider"] not in (cluster.capacity_providers or []):
            raise InvalidParameterException(
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
                "the cluster. Associate the capacity provider with the cluster and try again."
            )
        if one["capacityProvider"] not in (FARGATE, SPOT):
            raise InvalidParameterException("The embedded AWS does not know capacity providers of EC2 instances.")
    return list(distribute(strategy, count))


def distribute(strategy: list[dict[str, Any]], count: int) -> list[str]:
    """Return a provider for each task: first as many as each one's `base`, then by `weight`.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    chosen = [one["capacityProvider"] for one in strategy for _ in range(int(one.get("base") or 0))][:count]
    # A weight that is left out is 0, and a strategy of zeros alone places nothing; that one provider takes all.
    weights = {one["capacityProvider"]: int(one.get("weight") or 0) for one in strategy}
    if not any(weights.values()) and len(chosen) < count:
        if len(strategy) > 1:
            raise InvalidParameterException(
                "The specified capacity provider strategy is not valid: at least one capacity provider must have a weight "
                "greater than zero."
            )
        weights = dict.fromkeys(weights, 1)
    placed = dict.fromkeys(weights, 0)
    while len(chosen) < count:
        name = min((one for one in weights if weights[one]), key=lambda one: (placed[one] + 1) / weights[one])
        placed[name] += 1
        chosen.append(name)
    return chosen


def network(
    definition: TaskDefinition, configuration: dict[str, Any] | None, region: str, on_fargate: bool = True
) -> dict[str, Any]:
    """Return the network configuration, checked, with the VPC's default security group where none is named.

    InvalidParameterException in ECS's words.
    """
    given = (configuration or {}).get("awsvpcConfiguration")
    if not given:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    ec2 = ec2_backends[ACCOUNT][region]
    subnets, groups = given.get("subnets") or [], given.get("securityGroups") or []
    if not subnets:
        raise InvalidParameterException("subnets can not be empty.")
    if len(subnets) > _MOST_SUBNETS or len(groups) > _MOST_GROUPS:
        raise InvalidParameterException(
            f"A task takes {_MOST_SUBNETS} subnets and {_MOST_GROUPS} security groups at most."
        )
    try:
        vpcs = {subnet.vpc_id for subnet in ec2.describe_subnets(subnet_ids=subnets)}
    except InvalidSubnetIdError as error:
        name = next((one for one in subnets if one in error.message), subnets[0])
        raise InvalidParameterException(
            f"Error retrieving subnet information for [{name}]: {error.message} (ErrorCode: InvalidSubnetID.NotFound)"
        ) from error
    if len(vpcs) > 1:
        raise InvalidParameterException("Subnets must be in the same VPC.")
    [vpc] = vpcs
    try:
        found = ec2.describe_security_groups(group_ids=groups) if groups else []
    except InvalidSecurityGroupNotFoundError as error:
        name = next((one for one in groups if one in error.message), groups[0])
        raise InvalidParameterException(
            f"Error retrieving security group information for [{name}]: The security group '{name}' does not exist "
            "(ErrorCode: InvalidGroup.NotFound)"
        ) from error
    if any(group.vpc_id != vpc for group in found):
        raise InvalidParameterException("Security groups must be in the same VPC as the subnets.")
    if not groups:
        default = next(
            group for group in ec2.describe_security_groups() if group.vpc_id == vpc and group.name == "default"
        )
        groups = [default.id]
    return {"awsvpcConfiguration": {"assignPublicIp": "DISABLED", **given, "securityGroups": groups}}


def require_fargate(definition: TaskDefinition) -> None:
    """InvalidParameterException when a task definition is not for Fargate."""
    if definition.status != "ACTIVE":
        raise EcsClientException("TaskDefinition is inactive")
    if "FARGATE" not in (definition.requires_compatibilities or []):
        raise InvalidParameterException("Task definition does not support launch_type FARGATE.")

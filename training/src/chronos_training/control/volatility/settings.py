"""The volatility stack's account, and what provisioning published: SSM parameters below `/volatility/{env}/`."""

from __future__ import annotations

from typing import Any

from chronos_training.control.options import settings as training
from chronos_training.control.provision import parameters
from chronos_training.core import aws, commands


def parameter_path(env: str) -> str:
    """Return the path of the environment's SSM parameters."""
    return f"/volatility/{env}/"


def account(env: str, region: str) -> dict[str, Any]:
    """Return the account, the caller, what this stack published, and the network that the training stack published.

    Of what is not provisioned there are no settings.
    """
    sts, ssm = aws.client("sts", region=region), aws.client("ssm", region=region)
    with aws.explained(f"find the AWS account of environment {env}"):
        caller = sts.get_caller_identity()
    network = parameters.read(ssm, training.parameter_path(env))
    return {
        "account_id": caller["Account"],
        "arn": caller["Arn"],
        "settings": parameters.read(ssm, parameter_path(env)),
        "vpc_id": network.get("vpc_id", ""),
        "network_command": commands.playbook(env, "provision_infrastructure"),
        "stack_command": commands.playbook(env, "provision_volatility"),
        "images_command": commands.playbook(env, "publish_images"),
        "subnet_ids": [one for one in network.get("subnet_ids", "").split(",") if one],
    }

"""What provisioning made, read from the SSM parameters `/chronos-training/{env}/…` (C17)."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.core import aws
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError


@dataclass(frozen=True)
class Settings:
    """Ids of an environment's persistent resources."""

    env: str
    region: str
    bucket: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_id: str
    instance_profile: str
    # Empty in an environment that was provisioned before there were termination schedules: only a launch needs them.
    guard_role_arn: str = ""
    guard_queue_arn: str = ""


class NotProvisioned(TrainingError):
    """SSM has no settings, or not all, of an environment in this region."""

    code = "not_provisioned"


def parameter_path(env: str) -> str:
    """Return the path of the environment's SSM parameters."""
    return f"/chronos-training/{env}/"


def resolve_settings(env: str, *, region: str | None = None) -> Settings:
    """Return the environment's settings. NotProvisioned when it was not (wholly) provisioned in this region."""
    ssm = aws.client("ssm", region=region)
    path = parameter_path(env)
    with aws.explained(f"read the parameters {path}"):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        found = {p["Name"][len(path) :]: p["Value"] for page in pages for p in page["Parameters"]}
    needed = ("bucket", "vpc_id", "subnet_ids", "security_group_id", "instance_profile")
    missing = [name for name in needed if not found.get(name)]
    if missing:
        raise NotProvisioned(
            f"Environment {env} is not provisioned in {ssm.meta.region_name}: SSM has no {path}{missing[0]}.",
            hint="If it is in another region, set training_region. Otherwise provision it: "
            + playbook(env, "provision_infrastructure"),
        )
    return Settings(
        env=env,
        region=found.get("region", ssm.meta.region_name),
        bucket=found["bucket"],
        vpc_id=found["vpc_id"],
        subnet_ids=tuple(found["subnet_ids"].split(",")),
        security_group_id=found["security_group_id"],
        instance_profile=found["instance_profile"],
        guard_role_arn=found.get("guard_role_arn", ""),
        guard_queue_arn=found.get("guard_queue_arn", ""),
    )

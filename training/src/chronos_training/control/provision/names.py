"""What the persistent resources of an environment are called and tagged. The roles use the same names."""

from __future__ import annotations

from dataclasses import dataclass

from chronos_training.control.options.settings import parameter_path
from chronos_training.core.termination_schedule import group_name

PARAMETERS = (
    "vpc_id",
    "subnet_ids",
    "security_group_id",
    "bucket",
    "instance_profile",
    "region",
    "guard_group",
    "guard_role_arn",
    "guard_queue_arn",
)

# The user policies (roles/training_access/vars/main), and the playbooks that each of them is enough for. What a
# playbook needs of AWS is the statements of one of the policies that name it.
TASKS = {
    "operator": (
        "launch_training", "probe_instance", "monitor_training", "kill_training", "verify_cleanup", "fetch_run", "list_runs",
        "list_audit", "show_lock",
    ),
    "publisher": ("publish_runtime", "publish_dataset", "publish_model"),
    "administrator": ("provision_infrastructure", "teardown_infrastructure"),
    "monitor": ("monitor_training", "verify_cleanup", "list_runs", "list_audit", "show_lock"),
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Names of one environment in one region. `tags` are the four mandatory ones (R33)."""

    env: str
    region: str
    bucket: str
    tags: dict[str, str]

    @property
    def vpc(self) -> str:
        """Name tag of the VPC, and of the gateway, route table and endpoint in it."""
        return f"chronos-training-{self.env}"

    @property
    def instance(self) -> str:
        """Name of the instance role, its profile and the instances' security group (contract with launch)."""
        return f"chronos-training-{self.env}-instance"

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the managed user policies, one for each of TASKS."""
        return tuple(f"chronos-training-{self.env}-{task}" for task in TASKS)

    @property
    def administrator(self) -> str:
        """Name of the policy with which the environment itself is made and removed."""
        return f"chronos-training-{self.env}-administrator"

    @property
    def termination_schedule_role(self) -> str:
        """Name of the role with which EventBridge Scheduler ends instances."""
        return f"chronos-training-{self.env}-scheduler"

    @property
    def termination_schedule_group(self) -> str:
        """Name of the schedule group."""
        return group_name(self.env)

    @property
    def termination_schedule_queue(self) -> str:
        """Name of the dead-letter queue of the schedules."""
        return f"chronos-training-{self.env}-guard-dlq"

    @property
    def s3_service(self) -> str:
        """Service name of the S3 gateway endpoint; it is regional (design §7)."""
        return f"com.amazonaws.{self.region}.s3"

    @property
    def parameters(self) -> str:
        """Path of the SSM parameters that publish the ids (C17)."""
        return parameter_path(self.env)

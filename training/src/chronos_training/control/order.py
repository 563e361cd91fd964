"""What a launch needs to know, as the plan handed it over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chronos_training.core.errors import TrainingError


@dataclass(frozen=True)
class LaunchOrder:
    """What RunInstances needs, as the plan module handed it over."""

    run_id: str
    env: str
    project: str
    region: str
    bucket: str
    tags: dict[str, str]
    instance_types: tuple[str, ...]
    instances: int
    subnet_ids: tuple[str, ...]
    security_group_id: str
    instance_profile: str
    image_parameter: str
    volume_gb: int
    deadline_seconds: float
    run_spec_key: str
    run_spec_body: str
    training_config: dict[str, Any]
    owner: str
    guard_role_arn: str
    guard_queue_arn: str
    user_data: str

    @classmethod
    def from_params(cls, order: dict[str, Any], tags: dict[str, str], user_data: str) -> LaunchOrder:
        """Return the order that `Plan.order` described. TrainingError when a part of it is missing."""
        try:
            values = {name: order[name] for name in cls.__dataclass_fields__ if name not in {"tags", "user_data"}}
        except KeyError as missing:
            raise TrainingError(
                f"The launch order lacks {missing}.", hint="Take it from module training_plan_info."
            ) from None
        values |= {"instance_types": tuple(order["instance_types"]), "subnet_ids": tuple(order["subnet_ids"])}
        return cls(**values, tags=tags, user_data=user_data)

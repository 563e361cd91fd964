"""What a launch needs to know, as the plan handed it over."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chronos_training.core.errors import TrainingError

LARGEST_USER_DATA = 16384  # bytes, before base64; EC2 takes no more


@dataclass(frozen=True)
class LaunchSpec:
    """What RunInstances needs, as the plan module handed it over. TrainingError when EC2 would not take the user data."""

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
    image_id: str
    root_device: str  # of the image
    volume_gb: int
    deadline_seconds: float
    run_spec_key: str
    run_spec_body: str
    training_config: dict[str, Any]
    owner: str
    guard_role_arn: str
    guard_queue_arn: str
    user_data: str

    def __post_init__(self) -> None:
        """Refuse what EC2 would refuse before anything is made."""
        if len(self.packed_user_data) > LARGEST_USER_DATA:
            raise TrainingError(
                f"The user data has {len(self.packed_user_data):,} bytes compressed; EC2 takes {LARGEST_USER_DATA:,}."
            )

    @cached_property
    def packed_user_data(self) -> bytes:
        """Return the user data compressed, as cloud-init takes it too; the same text gives the same bytes."""
        return gzip.compress(self.user_data.encode(), mtime=0)

    @classmethod
    def from_params(cls, params: dict[str, Any], tags: dict[str, str], user_data: str) -> LaunchSpec:
        """Return the spec that `Plan.launch_spec` described. TrainingError when a part of it is missing."""
        try:
            values = {name: params[name] for name in cls.__dataclass_fields__ if name not in {"tags", "user_data"}}
        except KeyError as missing:
            raise TrainingError(
                f"The run spec lacks {missing}.",
                hint="Take it from module training_plan_info.",
                code="configuration_invalid",
            ) from None
        values |= {"instance_types": tuple(params["instance_types"]), "subnet_ids": tuple(params["subnet_ids"])}
        return cls(**values, tags=tags, user_data=user_data)

"""What a launch is handed by the plan: the run spec, where it lands, and what only the launch itself needs."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chronos_training.control.options.settings import Settings
from chronos_training.core import typed_json
from chronos_training.core.errors import TrainingError
from chronos_training.core.run_spec import RunSpec

LARGEST_USER_DATA = 16384  # bytes, before base64; EC2 takes no more


@dataclass(frozen=True)
class LaunchSpec:
    """What RunInstances and the guards need. TrainingError when EC2 would not take the user data."""

    run: RunSpec
    settings: Settings
    project: str
    root_device: str  # of the image
    tags: dict[str, str]
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
        """Return the launch spec that `Plan.order` described. TrainingError when a part of it is missing."""
        try:
            run = RunSpec.from_json(params["run_spec"], "order.run_spec")
            settings = typed_json.read(Settings, params["settings"], "settings")
            return cls(run, settings, params["project"], params["root_device"], tags, user_data)
        except (KeyError, ValueError) as error:
            missing = f"it has no {error}" if isinstance(error, KeyError) else error
            raise TrainingError(
                f"The order is not complete: {missing}.",
                hint="Take it from module training_plan_info.",
                code="configuration_invalid",
            ) from None

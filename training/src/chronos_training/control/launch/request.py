"""What a launch is asked to do: the inputs `training_launch_*` of role `training_run`, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LaunchRequest:
    """One launch. Sizes in GB, lengths of time in seconds unless the name says otherwise."""

    env: str
    region: str | None
    project: str
    config: str  # a name in training/configs
    config_file: str | None  # the user's YAML or JSON file, which overrides it
    instance_types: tuple[str, ...]  # in order of preference
    device: str  # cpu or cuda, declared, never guessed
    volume_gb: int
    image_parameter: str  # SSM parameter that names the image
    price_per_hour: float | None  # None: the price table
    heartbeat_seconds: float
    log_seconds: float
    watch_seconds: float
    git_commit: str
    resume_run: str | None = None  # a run to resume from its checkpoints
    repeat_run: str | None = None  # a run that is launched again, from its own run spec

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> LaunchRequest:
        """Return the request in a module's parameters."""
        values = {name: params[name] for name in cls.__dataclass_fields__}
        values |= {name: params[name] or None for name in ("resume_run", "repeat_run")}
        values["instance_types"] = tuple(values["instance_types"])
        return cls(**values)

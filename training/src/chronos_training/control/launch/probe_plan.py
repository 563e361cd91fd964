"""The plan of a probe: a run that trains nothing and records what its machine and image are (`agent/probe.py`).

It is launched, watched, guarded and ended as every run is.
"""

from __future__ import annotations

from typing import Any

from chronos_training.config import load_with_origins, repository_config
from chronos_training.control.launch.image import check_volume, find_image
from chronos_training.control.launch.plan import Plan, new_run_spec, settings_of
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.launch.run_instances import zones_of
from chronos_training.control.publish.published import current_agent
from chronos_training.core import aws, layout
from chronos_training.core.cost import hourly_price
from chronos_training.core.objects import read_json
from chronos_training.core.run_spec import LimitsSpec

NAME = "image-probe"
# A driver image from a volume that is read for the first time: minutes for the boot, minutes for torch.
LIMIT_HOURS = 0.5


def make_probe_plan(request: LaunchRequest) -> Plan:
    """Return the plan of a probe on the launch's own types and image. Creates nothing.

    Raises TrainingError; NotPublished when there is no agent to run. Without an environment torch is left out.
    """
    settings = settings_of(request)
    s3 = aws.client("s3", region=settings.region)
    agent = current_agent(s3, settings.bucket, request.env)
    environment: dict[str, Any] | None = read_json(s3, settings.bucket, layout.env_current_key("chronos"))
    # State and records tell of a configuration; of this one only name and limit mean something.
    config, _ = load_with_origins([repository_config("birthdays_tiny_cpu")])
    run = config.run.model_copy(update={"max_runtime_hours": LIMIT_HOURS, "max_cost": None})
    config = config.model_copy(update={"name": NAME, "run": run})
    prices = {kind: hourly_price(kind, request.volume_gb, request.price_per_hour) for kind in request.instance_types}
    image = find_image(request.image_parameter, settings.region)
    check_volume(image, request.volume_gb)
    zones = zones_of(aws.client("ec2", region=settings.region), settings.subnet_ids)
    limits = LimitsSpec(LIMIT_HOURS * 3600)
    return Plan(
        settings=settings,
        request=request,
        prices=prices,
        image=image,
        zones=zones,
        differences=[],
        origins={},
        remarks=[],
        duration_estimate=None,
        run_spec=new_run_spec(request, config, environment, agent, prices, image, probe=True, limits=limits),
        agent=agent,
    )

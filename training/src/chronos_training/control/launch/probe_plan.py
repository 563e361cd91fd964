"""The plan of a probe: a run that trains nothing and records what its machine and image are (`agent/probe.py`).

It is launched, watched, guarded and ended as every run is.
"""

from __future__ import annotations

import json
from typing import Any

from chronos_training.config import load_with_origins, repository_config
from chronos_training.control.launch.image import check_volume, find_image
from chronos_training.control.launch.owner import owner
from chronos_training.control.launch.plan import Plan, instance_section, runtime_section, settings_of
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.launch.run_instances import zones_of
from chronos_training.control.publish.published import current_agent
from chronos_training.core import aws, layout
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.cost import hourly_price
from chronos_training.core.objects import read_json

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
    now, deadline = utc_now(), LIMIT_HOURS * 3600
    run_id = layout.new_run_id(now)
    spec = {
        "schema_version": 1,
        "run_id": run_id,
        "env": request.env,
        "created_at": iso(now),
        "launched_by": owner(),
        "git_commit": request.git_commit,
        "config_sources": [],
        "probe": True,
        "device": request.device,
        "training": config.model_dump(mode="json"),
        "dataset": None,
        "base_model": None,
        "resume": None,
        "repeats": None,
        "runtime": runtime_section(environment, agent),
        "instance": instance_section(request, 1, prices, image),
        "limits": {"deadline_seconds": deadline, "max_cost_usd": None, "capped": False},
    }
    body = json.dumps(spec, indent=2) + "\n"
    return Plan(
        run_id=run_id,
        settings=settings,
        request=request,
        deadline_seconds=deadline,
        prices=prices,
        image=image,
        zones=zones,
        differences=[],
        origins={},
        remarks=[],
        duration_estimate=None,
        run_spec=spec,
        run_spec_body=body,
        agent=agent,
    )

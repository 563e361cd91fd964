"""The very request of a launch, as a dry run: EC2 checks rights, parameters and plan, and starts nothing."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.control.launch.image import Image
from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.launch.run_instances import request_of, zones_of
from chronos_training.control.options.settings import Settings
from chronos_training.core import aws, capacity, layout
from chronos_training.core.aws_types import EC2Client
from chronos_training.core.capacity import LaunchOption
from chronos_training.core.clock import utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.run_spec import ImageSpec, InstanceSpec, RunSpec

from .check_result import CheckResult, note, ok, refused, stop

# The real one is not made yet; EC2 looks at its size alone, and a launch looks at that itself.
USER_DATA = "#cloud-config\n"
MANY = 8


def stand_in(
    settings: Settings, launch: LaunchRequest, tags: dict[str, str], image: Image, instances: int
) -> LaunchSpec:
    """Return the launch spec where nothing is published yet: all that EC2 sees of it is as it will be."""
    instance = InstanceSpec(
        types=launch.instance_types, count=instances, image=ImageSpec(image.image_id), volume_gb=launch.volume_gb
    )
    run_id = layout.new_run_id(utc_now())
    run = RunSpec(run_id=run_id, env=settings.env, device=launch.device, training={}, instance=instance)
    return LaunchSpec(run, settings, launch.project, image.root_device, tags, USER_DATA)


def request(ec2: EC2Client, spec: LaunchSpec) -> list[CheckResult]:
    """Ask EC2 for each type in each zone whether it would start the instances. Returns a check result for each type."""
    try:
        launch_options = capacity.launch_options(
            spec.run.instance.types, zones_of(ec2, spec.settings.subnet_ids), spec.run.instance.count
        )
    except TrainingError as error:
        return [refused("request", error)]
    # What EC2 answers is the result; nothing is asked a second time.
    once = aws.client("ec2", region=spec.settings.region, config=aws.ONCE)
    with ThreadPoolExecutor(MANY) as pool:
        said = list(pool.map(lambda option: _try(once, spec, option), launch_options))
    answers = dict(zip(launch_options, said, strict=True))
    would = any(not sentence for sentence in said)
    return [_of_a_type(kind, answers, would) for kind in dict.fromkeys(spec.run.instance.types)]


def _try(once: Any, spec: LaunchSpec, option: LaunchOption) -> str:
    """Return why EC2 would not start the instances with `option`, or an empty string."""
    asked = request_of(spec, option.instance_type, option.subnet_id, uuid.uuid4().hex)
    try:
        with aws.explained(f"try the request for a {option}"):
            try:
                started = once.run_instances(**asked, DryRun=True)["Instances"]
                # A dry run is always answered by an error. An EC2 that starts instances all the same has started some
                # that no lock, no guard and no user data of ours would end.
                once.terminate_instances(InstanceIds=[one["InstanceId"] for one in started])
            except ClientError as error:
                details = error.response.get("Error", {})
                code, message = str(details.get("Code", "")), str(details.get("Message", ""))
                if code == "DryRunOperation":
                    return ""
                return _explain_failure(option, code, message, spec.settings.region) or str(
                    aws.explain(error, f"start a {option}")
                )
    except TrainingError as error:
        return str(error)
    names = ", ".join(one["InstanceId"] for one in started)
    return f"this EC2 does not support dry runs: it started {names}, which was terminated at once"


def _explain_failure(option: LaunchOption, code: str, message: str, region: str) -> str:
    """Return what a refusal means that depends on the account, or an empty string."""
    if capacity.classify_failure(code, message, 400) is capacity.LaunchFailure.FREE_PLAN:
        return " ".join(capacity.explain_free_plan(option.instance_type))
    if capacity.classify_failure(code, message, 400) is capacity.LaunchFailure.NOT_IN_ZONE:
        return "this zone does not offer the type"
    if capacity.classify_failure(code, message, 400) is capacity.LaunchFailure.QUOTA:
        return " ".join(capacity.explain_quota(option, code, message, region))
    return ""


def _of_a_type(kind: str, answers: dict[LaunchOption, str], would: bool) -> CheckResult:
    """Return the result of one type; a refused one is only a note when another type would be started."""
    mine = {option: why for option, why in answers.items() if option.instance_type == kind}
    open_zones = sorted(option.zone for option, why in mine.items() if not why)
    refused: dict[str, list[str]] = {}
    for option, why in mine.items():
        if why:
            refused.setdefault(why.replace(option.zone, "…"), []).append(option.zone)
    reasons = "; ".join(f"not in {', '.join(zones)}: {why}" for why, zones in refused.items())
    if not reasons:
        return ok("request", f"EC2 would start {kind} in {', '.join(open_zones)}")
    if open_zones:
        return note("request", f"EC2 would start {kind} in {', '.join(open_zones)}; {reasons}")
    return note("request", f"{kind}: {reasons}") if would else stop("request", f"{kind}: {reasons}")

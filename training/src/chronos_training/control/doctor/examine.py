"""All checks at once: each in a thread of its own, told in one order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chronos_training.config import load_with_origins, repository_config
from chronos_training.control.launch.image import Image
from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.launch.plan import Plan, make_plan
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.options.settings import NotProvisioned, Settings, resolve_settings
from chronos_training.control.publish.published import NotPublished
from chronos_training.core import aws
from chronos_training.core.aws_types import EC2Client, Filter
from chronos_training.core.commands import playbook
from chronos_training.core.errors import TrainingError

from . import account, image, own, request, rights, room
from .check_result import CheckResult, Kind, later, note, ok, refused

THREADS = 12
# As many zones as provisioning makes subnets in, where nobody has said which.
ZONES = 3


@dataclass(frozen=True)
class Asked:
    """What to look at. `launch` are the inputs of a launch; `policies` those for people, each with name and policy."""

    env: str
    region: str
    account_id: str
    caller: str
    tags: dict[str, str]
    launch: LaunchRequest
    policies: list[dict[str, Any]]
    needed_policies: tuple[str, ...]
    dry: bool = False  # make nothing, not even for a moment


def examine(asked: Asked) -> list[CheckResult]:
    """Return what every check found. Leaves nothing behind; raises only what would be a defect of ours."""
    ec2 = aws.client("ec2", region=asked.region)
    settings, provisioned = _settings(asked)
    with ThreadPoolExecutor(THREADS) as pool:

        def waiting(name: str) -> CheckResult:
            # What needs the settings comes with them.
            if provisioned.kind is Kind.LATER:
                return replace(provisioned, name=name)
            return CheckResult(name, Kind.UNSEEN, "without the settings of the environment")

        def begin(work: Callable[..., Any], *arguments: Any) -> Future[Any]:
            return pool.submit(work, *arguments)

        planning = begin(_plan, asked) if settings else None
        looking = begin(image.image, asked.region, asked.launch.image_parameter, asked.launch.volume_gb)
        count = begin(_instances, asked)
        parts: list[Future[Any]] = [
            begin(account.who, asked.account_id, asked.caller, asked.region),
            begin(account.credentials),
            begin(account.plan),
            begin(lambda: looking.result()[1]),
            begin(_zones, ec2, asked, settings),
            begin(lambda: room.quotas(ec2, asked.region, asked.launch.instance_types, count.result())),
            begin(account.volume_key, ec2, asked.region),
            begin(_public_access, ec2, asked, settings),
            begin(lambda: provisioned),
            begin(lambda: _tried(own.lock, asked, settings) if settings else waiting("lock")),
            begin(lambda: _tried(own.schedule, asked, settings) if settings else waiting("schedule")),
            begin(lambda: planning.result()[1] if planning else waiting("launch plan")),
            begin(
                lambda: (
                    _request(ec2, asked, settings, planning.result()[0], looking.result()[0], count.result())
                    if settings and planning
                    else waiting("request")
                )
            ),
            begin(
                rights.rights, asked.caller, asked.region, asked.policies, asked.needed_policies, settings is not None
            ),
        ]
        found: list[CheckResult] = []
        for part in parts:
            try:
                result = part.result()
            except TrainingError as error:
                result = refused("account", error)
            found += result if isinstance(result, list) else [result]
    return found


def stopping(results: list[CheckResult]) -> list[str]:
    """Return the names of the checks that would stop a launch, each once."""
    return list(dict.fromkeys(one.name for one in results if one.kind is Kind.STOP))


def _settings(asked: Asked) -> tuple[Settings | None, CheckResult]:
    try:
        settings = resolve_settings(asked.env, region=asked.region)
    except NotProvisioned:
        return None, later("environment", f"after {playbook(asked.env, 'provision_infrastructure')}")
    except TrainingError as error:
        return None, refused("environment", error)
    return settings, ok("environment", f"{asked.env} is provisioned: {settings.bucket}, {settings.vpc_id}")


def _tried(work: Callable[[Settings], CheckResult], asked: Asked, settings: Settings) -> CheckResult:
    if asked.dry:
        return later(work.__name__, "not tried in check mode, because it briefly creates something")
    return work(settings)


def _plan(asked: Asked) -> tuple[Plan | None, CheckResult]:
    """Return the plan of a launch as it would be made now, None where there is none yet."""
    try:
        plan = make_plan(asked.launch)
    except NotPublished as error:
        return None, later("launch plan", str(error))
    except TrainingError as error:
        return None, refused("launch plan", error)
    return plan, ok("launch plan", f"{plan.config.name}, with everything it needs published")


def _instances(asked: Asked) -> int:
    """Return how many instances a run of the configuration has; the plan tells what is wrong with it."""
    try:
        given = [Path(asked.launch.config_file).expanduser()] if asked.launch.config_file else []
        paths = [repository_config(asked.launch.config), *(path for path in given if path.is_file())]
        return load_with_origins(paths)[0].run.instances
    except TrainingError:
        return 1


def _zones(ec2: EC2Client, asked: Asked, settings: Settings | None) -> CheckResult:
    with aws.explained("find the zones of the region"):
        if settings is not None:
            found = ec2.describe_subnets(SubnetIds=list(settings.subnet_ids))["Subnets"]
            ours = [str(subnet["AvailabilityZone"]) for subnet in found]
        else:
            kinds: list[Filter] = [
                {"Name": "zone-type", "Values": ["availability-zone"]},
                {"Name": "state", "Values": ["available"]},
            ]
            zones = ec2.describe_availability_zones(Filters=kinds)["AvailabilityZones"]
            ours = sorted(str(zone["ZoneName"]) for zone in zones)[:ZONES]
    return room.zones(ec2, asked.launch.instance_types, ours)


def _public_access(ec2: EC2Client, asked: Asked, settings: Settings | None) -> CheckResult:
    vpc_id, subnets = (settings.vpc_id, settings.subnet_ids) if settings else (None, ())
    return account.public_access(ec2, vpc_id, subnets, asked.region)


def _request(
    ec2: EC2Client, asked: Asked, settings: Settings, plan: Plan | None, found: Image | None, instances: int
) -> list[CheckResult]:
    if found is None:
        return [note("request", "not tried: there is no image to launch")]
    if plan is not None:
        spec = LaunchSpec.from_params(plan.order(), asked.tags, request.USER_DATA)
    else:
        spec = request.stand_in(settings, asked.launch, asked.tags, found, instances)
    return request.request(ec2, spec)

"""What an account may start: its vCPU quotas, what its zones offer, its plan; and a dry run that looks at the whole request.

moto knows no quota of EC2, starts any type in any zone, and answers a dry run before it has looked whether image, subnet and
security group exist. On AWS a dry run meets everything but quotas and capacity. Injected faults (fault_injection.py) take from what
an account may.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupNotFoundError
from moto.ec2.models import EC2Backend
from moto.ec2.responses.instances import InstanceResponse
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from local_aws import fault_injection
from local_aws.home import Home

# What this account was granted: enough for everything that is tried here.
GRANTED = {"L-1216C47A": 256.0, "L-DB2E81BA": 64.0, "L-417A185B": 0.0}
NAMES = {
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-417A185B": "Running On-Demand P instances",
}
# By the letters that a type begins with; all others are standard ones.
FAMILIES = {"g": "L-DB2E81BA", "gr": "L-DB2E81BA", "vt": "L-DB2E81BA", "p": "L-417A185B"}
# The quota counts whatever is not stopped or gone: an instance on its way out still holds its vCPUs.
COUNTED = ("pending", "running", "stopping", "shutting-down")
FREE_TYPES = ("t3.micro", "t3.small", "t4g.micro", "t4g.small", "c7i-flex.large", "m7i-flex.large")


def close_gap(home: Home) -> None:
    run_instances = InstanceResponse.run_instances
    offerings = EC2Backend.describe_instance_type_offerings

    def run_within_limits(self: InstanceResponse) -> ActionResult:
        _refuse(self, fault_injection.read(home))
        return run_instances(self)

    def offered(self: EC2Backend, *arguments: Any, **named: Any) -> list[Any]:
        lacking = fault_injection.read(home).not_offered
        found: list[Any] = offerings(self, *arguments, **named)
        return [one for one in found if f"{one['InstanceType']} in {one['Location']}" not in lacking]

    def get_service_quota(self: ServiceQuotasBackend, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "ec2" or quota_code not in GRANTED:
            raise NoSuchResource
        return _quota(quota_code, _granted(quota_code, fault_injection.read(home)), self.region_name, self.account_id)

    def get_aws_default_service_quota(self: ServiceQuotasResponse) -> str:
        asked = json.loads(self.body)
        if asked.get("ServiceCode") != "ec2" or asked.get("QuotaCode") not in GRANTED:
            raise NoSuchResource
        return json.dumps({"Quota": _quota(asked["QuotaCode"], 0.0, self.region, self.current_account)})

    InstanceResponse.run_instances = run_within_limits
    EC2Backend.describe_instance_type_offerings = offered
    ServiceQuotasBackend.get_service_quota = get_service_quota
    ServiceQuotasResponse.get_aws_default_service_quota = get_aws_default_service_quota


def _refuse(request: InstanceResponse, faults: fault_injection.InjectedFaults) -> None:
    backend, kind = request.ec2_backend, str(request._get_param("InstanceType") or "m1.small")
    subnets = [nic["SubnetId"] for nic in request._get_param("NetworkInterfaces", []) if nic.get("SubnetId")]
    subnet_id = request._get_param("SubnetId") or next(iter(subnets), None)
    dry = bool(request._get_param("DryRun", False))
    zone = backend.get_subnet(subnet_id).availability_zone if subnet_id else ""
    if dry:
        backend.describe_images(ami_ids=[request._get_param("ImageId")])
        groups = list(request._get_param("SecurityGroupIds", []))
        for nic in request._get_param("NetworkInterfaces", []):
            groups += nic.get("Groups", [])
        for group in groups:
            if backend.get_security_group_from_id(group) is None:
                raise InvalidSecurityGroupNotFoundError(group)
    if faults.account_plan == "FREE" and kind not in FREE_TYPES:
        raise EC2ClientError(
            "InvalidParameterCombination",
            "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run "
            "'describe-instance-types' with the filter 'free-tier-eligible=true'.",
        )
    if f"{kind} in {zone}" in faults.not_offered:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}).",
        )
    if not dry:
        _refuse_over_quota(backend, kind, int(request._get_param("MinCount") or 1), faults)


def _refuse_over_quota(backend: Any, kind: str, count: int, faults: fault_injection.InjectedFaults) -> None:
    code = _code(kind)
    if code not in faults.quotas:
        return  # of what was granted there is enough
    used = sum(
        _vcpus(backend, instance.instance_type)
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance.state in COUNTED and _code(instance.instance_type) == code
    )
    limit = _granted(code, faults)
    if used + count * _vcpus(backend, kind) > limit:
        raise EC2ClientError(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {limit:.0f} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request "
            "to request an adjustment to this limit.",
        )


def _code(kind: str) -> str:
    return FAMILIES.get(re.match(r"[a-z]*", kind)[0], "L-1216C47A")  # type: ignore[index]


def _vcpus(backend: Any, kind: str) -> int:
    [described] = backend.describe_instance_types([kind])
    return int(described["VCpuInfo"]["DefaultVCpus"])


def _granted(code: str, faults: fault_injection.InjectedFaults) -> float:
    return float(faults.quotas.get(code, GRANTED[code]))


def _quota(code: str, value: float, region: str, account: str) -> dict[str, Any]:
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:ec2/{code}",
        "QuotaCode": code,
        "QuotaName": NAMES[code],
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }

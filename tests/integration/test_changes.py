"""Change a value of the inventory and provision twice: the first changes what it must, the second nothing, and of nothing
is there a second one. What cannot be changed in place is refused, and nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .test_provision import changes, network, play

pytestmark = pytest.mark.timeout(900)

RANGES = ["10.40.0.0/20", "10.40.16.0/20", "10.40.32.0/20"]
# Each with what it changes: the kinds of things of which there is then one more.
IN_PLACE: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cost centre": ({"training_cost_center": 4711}, set()),
    "tags": (
        {
            "training_tags": {
                "Project": "Chronos-Training", "Environment": "local", "CostCenter": "x", "ManagedBy": "Ansible", "Team": "a",
            }
        },
        set(),
    ),
    "days of logs": ({"training_storage_logs_expire_days": 21}, set()),
    "days to STANDARD_IA": ({"training_storage_runs_standard_ia_days": 40}, set()),
    "days of runs": ({"training_storage_runs_expire_days": 120}, set()),
    "days of uploads": ({"training_storage_abort_multipart_days": 3}, set()),
    "one more subnet": ({"training_network_subnet_cidrs": [*RANGES, "10.40.48.0/20"]}, {"subnets"}),
    "zones as they are": ({"training_network_zones": ["us-east-1a", "us-east-1b", "us-east-1c"]}, set()),
}  # fmt: skip
REFUSED: dict[str, dict[str, Any]] = {
    "project": {"training_project": "Another"},
    "region": {"training_region": "eu-west-1"},
    "bucket": {"training_bucket": "another-bucket"},
    "range of the VPC": {
        "training_network_cidr": "10.50.0.0/16", "training_network_subnet_cidrs": ["10.50.0.0/20", "10.50.16.0/20"],
    },
    "a subnet less": {"training_network_subnet_cidrs": RANGES[:2]},
    "other zones": {"training_network_zones": ["us-east-1b", "us-east-1a", "us-east-1c"]},
}  # fmt: skip


def counts(aws: Any) -> dict[str, int]:
    """How many there are of everything that provisioning makes, in the whole account and whatever its tags."""
    ec2, iam = aws.client("ec2"), aws.client("iam")
    endpoints = [e for e in ec2.describe_vpc_endpoints()["VpcEndpoints"] if e["State"] == "available"]
    return {
        "vpcs": len(ec2.describe_vpcs()["Vpcs"]),
        "subnets": len(ec2.describe_subnets()["Subnets"]),
        "gateways": len(ec2.describe_internet_gateways()["InternetGateways"]),
        "tables": len(ec2.describe_route_tables()["RouteTables"]),
        "endpoints": len(endpoints),
        "groups": len(ec2.describe_security_groups()["SecurityGroups"]),
        "buckets": len(aws.client("s3").list_buckets()["Buckets"]),
        "roles": len(iam.list_roles()["Roles"]),
        "profiles": len(iam.list_instance_profiles()["InstanceProfiles"]),
        "policies": len(iam.list_policies(Scope="Local")["Policies"]),
        "schedule groups": len(aws.client("scheduler").list_schedule_groups()["ScheduleGroups"]),
        "queues": len(aws.client("sqs").list_queues().get("QueueUrls", [])),
        "parameters": len(aws.client("ssm").describe_parameters(MaxResults=50)["Parameters"]),
    }


def provision(aws: Any, **variables: Any) -> tuple[int, str]:
    return play(aws, "provision_infrastructure", "-e", json.dumps(variables))


def changed_in_place(aws: Any, variables: dict[str, Any], more: set[str]) -> None:
    before = counts(aws)
    status, output = provision(aws, **variables)
    assert status == 0, output
    wanted = {kind: number + (kind in more) for kind, number in before.items()}
    assert counts(aws) == wanted, output
    status, output = provision(aws, **variables)
    assert (status, changes(output)) == (0, 0), output
    assert counts(aws) == wanted


def test_all_that_can_be_changed_is_changed_in_place_and_the_rest_is_refused(aws: Any) -> None:
    assert provision(aws)[0] == 0
    together: dict[str, Any] = {}
    for variables, _ in IN_PLACE.values():
        together |= variables
    del together["training_tags"], together["training_network_zones"]
    changed_in_place(aws, together, {"subnets"})
    assert {tag["Key"]: tag["Value"] for tag in network(aws)["tables"][0]["Tags"]}["CostCenter"] == "4711"
    before = counts(aws)
    status, output = provision(aws, **REFUSED["project"], **REFUSED["bucket"], **REFUSED["range of the VPC"])
    assert status != 0 and "Nothing was changed." in output and counts(aws) == before, output


@pytest.mark.protocol
@pytest.mark.parametrize("what", IN_PLACE)
def test_a_value_is_changed_in_place(aws: Any, what: str) -> None:
    assert provision(aws)[0] == 0
    changed_in_place(aws, *IN_PLACE[what])


@pytest.mark.protocol
@pytest.mark.parametrize("what", REFUSED)
def test_a_value_that_cannot_be_changed_is_refused(aws: Any, what: str) -> None:
    assert provision(aws)[0] == 0
    before = counts(aws)
    status, output = provision(aws, **REFUSED[what])
    assert status != 0 and "Nothing was changed." in output and changes(output) == 0, output
    assert counts(aws) == before

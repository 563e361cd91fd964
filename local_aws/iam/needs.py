"""What a request needs to be allowed: its actions, the resources they touch, and the context for conditions.

Written from the Service Authorization Reference, for the operations that this project's principals use and those beside
them that a test tries: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from moto.iam.models import iam_backends

from local_aws.calls import Call, operations_of
from local_aws.iam import ec2_needs, s3_needs
from local_aws.iam.conditions import UnknownElement
from local_aws.iam.policies import Need

# The wire of the embedded AWS is plain http on the loopback, which nobody else can read: it counts as TLS. A request
# with this header counts as sent in the clear; nothing but a test sets it.
IN_THE_CLEAR_HEADER = "x-local-aws-in-the-clear"


def needs_of(call: Call, account: str) -> list[Need]:
    """Return what `call` needs, an empty list for what everybody may. UnknownElement for an operation not known here."""
    find = _BY_SERVICE.get(call.service)
    needs = find(call, account) if find else None
    if needs is None:
        raise UnknownElement(f"the operation {call.service}:{call.action}")
    return needs


def common_context(call: Call) -> dict[str, str | list[str]]:
    """Return the global condition keys that every request has."""
    now = time.time()
    clear = "HTTP_X_LOCAL_AWS_IN_THE_CLEAR" in call.environ
    return {
        "aws:securetransport": "false" if clear else "true",
        "aws:sourceip": str(call.environ.get("REMOTE_ADDR", "127.0.0.1")),
        "aws:currenttime": datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now)),
        "aws:requestedregion": call.region,
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
        **({} if clear else {"s3:tlsversion": "1.3"}),
    }


def _iam(call: Call, account: str) -> list[Need] | None:
    if call.action not in operations_of("iam"):
        return None
    given = call.parameters
    kinds = {"RoleName": "role", "UserName": "user", "GroupName": "group", "PolicyName": "policy"}
    context = {"iam:policyarn": given["PolicyArn"]} if "PolicyArn" in given else {}
    resource = given.get("PolicyArn") or given.get("PolicySourceArn") or "*"
    # Of several names the first is the resource: PutRolePolicy has a role's name and an inline policy's.
    for parameter in ("InstanceProfileName", *kinds):
        if parameter in given:
            kind = kinds.get(parameter, "instance-profile")
            resource = f"arn:aws:iam::{account}:{kind}{given.get('Path', '/')}{given[parameter]}"
            break
    needs = [Need(f"iam:{call.action}", resource, context)]
    # Tags given with what is made need the action that tags as well.
    if call.action.startswith("Create") and any(name.startswith("Tags.") for name in given):
        needs.append(Need(f"iam:Tag{call.action.removeprefix('Create')}", resource))
    if call.action == "AddRoleToInstanceProfile":
        passed = {"iam:passedtoservice": "ec2.amazonaws.com"}
        needs.append(Need("iam:PassRole", f"arn:aws:iam::{account}:role/{given['RoleName']}", passed))
    return needs


def _sts(call: Call, account: str) -> list[Need] | None:
    if call.action == "GetCallerIdentity":
        return []  # nobody can be denied this one, says its documentation
    if call.action == "AssumeRole":
        context = {"sts:rolesessionname": call.parameters.get("RoleSessionName", "")}
        if "ExternalId" in call.parameters:
            context["sts:externalid"] = call.parameters["ExternalId"]
        return [Need("sts:AssumeRole", call.parameters.get("RoleArn", ""), context)]
    return None


def _ssm(call: Call, account: str) -> list[Need] | None:
    given = call.parameters

    def parameter(name: str) -> str:
        owner = "" if name.startswith("/aws/") else account  # AWS's own public parameters belong to nobody
        return f"arn:aws:ssm:{call.region}:{owner}:parameter/{name.removeprefix('/')}"

    context: dict[str, str | list[str]] = {}
    if call.action in ("GetParameter", "PutParameter", "DeleteParameter", "GetParameterHistory"):
        names = [given["Name"]]
    elif call.action in ("GetParameters", "DeleteParameters"):
        names = json.loads(given["Names"])
    elif call.action == "GetParametersByPath":
        names, context = [given["Path"]], {"ssm:recursive": given.get("Recursive", "false")}
    elif call.action in ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource"):
        names = [given["ResourceId"]]
    elif call.action == "DescribeParameters":
        return [Need("ssm:DescribeParameters", "*")]
    else:
        return None
    needs = [Need(f"ssm:{call.action}", parameter(name), context) for name in names]
    if call.action == "PutParameter" and "Tags" in given:
        needs += [Need("ssm:AddTagsToResource", parameter(name)) for name in names]
    return needs


def _scheduler(call: Call, account: str) -> list[Need] | None:
    given, action = call.parameters, call.action
    prefix = f"arn:aws:scheduler:{call.region}:{account}"
    if action in ("ListSchedules", "ListScheduleGroups"):
        return [Need(f"scheduler:{action}", "*")]
    if action in ("CreateScheduleGroup", "GetScheduleGroup", "DeleteScheduleGroup"):
        needs = [Need(f"scheduler:{action}", f"{prefix}:schedule-group/{given['Name']}")]
        if action == "DeleteScheduleGroup":  # its schedules go with it
            needs.append(Need("scheduler:DeleteSchedule", f"{prefix}:schedule/{given['Name']}/*"))
        if "Tags" in given:
            needs.append(Need("scheduler:TagResource", f"{prefix}:schedule-group/{given['Name']}"))
        return needs
    if action in ("ListTagsForResource", "TagResource", "UntagResource"):
        return [Need(f"scheduler:{action}", given["ResourceArn"])]
    if action not in ("CreateSchedule", "UpdateSchedule", "GetSchedule", "DeleteSchedule"):
        return None
    group = given.get("GroupName") or given.get("groupName") or "default"
    needs = [Need(f"scheduler:{action}", f"{prefix}:schedule/{group}/{given['Name']}")]
    if action in ("CreateSchedule", "UpdateSchedule"):
        role = str(json.loads(given.get("Target", "{}")).get("RoleArn", ""))
        needs.append(Need("iam:PassRole", role, {"iam:passedtoservice": "scheduler.amazonaws.com"}))
    return needs


def _sqs(call: Call, account: str) -> list[Need] | None:
    if call.action not in operations_of("sqs"):
        return None
    name = call.parameters.get("QueueName") or call.parameters.get("QueueUrl", "").rsplit("/", 1)[-1]
    resource = f"arn:aws:sqs:{call.region}:{account}:{name}" if name else "*"
    needs = [Need(f"sqs:{call.action.removesuffix('Batch')}", resource)]
    if call.action == "CreateQueue" and "tags" in call.parameters:
        needs.append(Need("sqs:TagQueue", resource))
    return needs


def roles_in_profile(account: str, profile: str) -> list[str]:
    """Return the ARNs of the roles that an instance profile (its name or ARN) carries."""
    profiles = iam_backends[account]["aws"].instance_profiles.values()
    return [role.arn for one in profiles if profile in (one.name, one.arn) for role in one.roles]


def _ec2(call: Call, account: str) -> list[Need] | None:
    needs = ec2_needs.needs_of(call, account)
    profile = call.parameters.get("IamInstanceProfile.Name") or call.parameters.get("IamInstanceProfile.Arn")
    if needs is not None and profile:
        passed = {"iam:passedtoservice": "ec2.amazonaws.com"}
        needs += [Need("iam:PassRole", role, passed) for role in roles_in_profile(account, profile)]
    return needs


def _kms(call: Call, account: str) -> list[Need] | None:
    if call.action != "DescribeKey":
        return None
    key = call.parameters.get("KeyId", "")
    return [
        Need("kms:DescribeKey", key if key.startswith("arn:") else f"arn:aws:kms:{call.region}:{account}:key/{key}")
    ]


def _of_the_account(service: str, *operations: str) -> Callable[[Call, str], list[Need] | None]:
    """Return what operations need that take no resource."""
    return lambda call, account: [Need(f"{service}:{call.action}", "*")] if call.action in operations else None


_BY_SERVICE: dict[str, Callable[[Call, str], Any]] = {
    "ec2": _ec2,
    "freetier": _of_the_account("freetier", "GetAccountPlanState"),
    "iam": _iam,
    "kms": _kms,
    "s3": lambda call, account: s3_needs.needs_of(call),
    "scheduler": _scheduler,
    "servicequotas": _of_the_account("servicequotas", "GetServiceQuota", "GetAWSDefaultServiceQuota"),
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": _sts,
}

"""What a request to ECS needs.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
"""

from __future__ import annotations

import json
from typing import Any

from moto.ecs.models import ecs_backends
from moto.iam.models import iam_backends

from local_aws.calls import Call
from local_aws.iam.policies import Need

LINKED_SERVICE = "ecs.amazonaws.com"
LINKED_ROLE = "AWSServiceRoleForECS"
_Context = dict[str, str | list[str]]
_ON_EVERYTHING = frozenset(
    ["DeregisterTaskDefinition", "DescribeTaskDefinition", "ListAccountSettings", "ListClusters", "ListTaskDefinitionFamilies",
     "ListTaskDefinitions", "PutAccountSetting", "PutAccountSettingDefault"]
)  # fmt: skip
_ON_CLUSTER = frozenset(["DeleteCluster", "PutClusterCapacityProviders", "UpdateCluster", "UpdateClusterSettings"])
_ON_TAGGED = frozenset(["ListTagsForResource", "TagResource", "UntagResource"])


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    action = call.action
    if action in _ON_EVERYTHING:
        return [Need(f"ecs:{action}", "*")]
    if action in ("RunTask", "RegisterTaskDefinition", "DeleteTaskDefinitions"):
        return _of_task_definition(call, account)
    if action in ("StopTask", "DescribeTasks", "ExecuteCommand"):
        return _of_tasks(call, account)
    given = call.parameters
    if action == "CreateCluster":
        arn, tags = cluster_arn(call, account, given.get("clusterName")), _request_tags(call)
        made = [Need("ecs:CreateCluster", arn, tags)]
        return [*made, *_tagging(arn, tags, action), *_linked_role(call, account)]
    if action == "DescribeClusters":
        names = json.loads(given.get("clusters", "[]")) or ["default"]
        arns = [cluster_arn(call, account, name) for name in names]
        return [Need("ecs:DescribeClusters", arn, _resource_tags(account, call.region, arn)) for arn in arns]
    if action in _ON_CLUSTER:
        arn = cluster_arn(call, account, given.get("cluster"))
        return [Need(f"ecs:{action}", arn, _resource_tags(account, call.region, arn)), *_linked_role(call, account)]
    if action == "ListTasks":
        cluster = cluster_arn(call, account, given.get("cluster"))
        instances = cluster.replace(":cluster/", ":container-instance/") + "/*"
        return [Need("ecs:ListTasks", instances, {"ecs:cluster": cluster})]
    if action == "DescribeCapacityProviders":
        return [Need("ecs:DescribeCapacityProviders", f"arn:aws:ecs:{call.region}:{account}:capacity-provider/*")]
    if action in _ON_TAGGED:
        arn = given["resourceArn"]
        return [Need(f"ecs:{action}", arn, {**_resource_tags(account, call.region, arn), **_request_tags(call)})]
    return None


def cluster_arn(call: Call, account: str, name: str | None) -> str:
    """Return a cluster's ARN, given that or its name; without one it is `default`."""
    if name and name.startswith("arn:"):
        return name
    return f"arn:aws:ecs:{call.region}:{account}:cluster/{name or 'default'}"


def _linked_role(call: Call, account: str) -> list[Need]:
    """Who names capacity providers first in an account makes the role by which ECS works there.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles-for-clusters.html
    """
    if "capacityProviders" not in call.parameters or linked_role_exists(account):
        return []
    arn = f"arn:aws:iam::{account}:role/aws-service-role/{LINKED_SERVICE}/{LINKED_ROLE}"
    return [Need("iam:CreateServiceLinkedRole", arn, {"iam:awsservicename": LINKED_SERVICE})]


def linked_role_exists(account: str) -> bool:
    """Whether the account has ECS's service-linked role."""
    return any(role.name == LINKED_ROLE for role in iam_backends[account]["aws"].roles.values())


def _of_task_definition(call: Call, account: str) -> list[Need]:
    given = call.parameters
    prefix = f"arn:aws:ecs:{call.region}:{account}:task-definition/"
    if call.action == "DeleteTaskDefinitions":
        names = [name.rpartition("/")[2] for name in json.loads(given["taskDefinitions"])]
        return [Need("ecs:DeleteTaskDefinitions", prefix + name) for name in names]
    tags = _request_tags(call)
    if call.action == "RegisterTaskDefinition":
        arn = f"{prefix}{given['family']}:*"
        context: _Context = {"ecs:task-cpu": given.get("cpu", ""), "ecs:task-memory": given.get("memory", ""), **tags}
        roles = [given.get("taskRoleArn"), given.get("executionRoleArn")]
        return [
            Need("ecs:RegisterTaskDefinition", arn, context),
            *_tagging(arn, tags, call.action),
            *_passed(roles, account),
        ]
    name = given["taskDefinition"].rpartition("/")[2]
    definition = _task_definition(account, call.region, name)
    arn = prefix + (f"{definition.family}:{definition.revision}" if definition is not None else name)
    overrides = json.loads(given.get("overrides", "{}"))
    roles = [
        overrides.get(f"{kind}RoleArn") or getattr(definition, f"{kind}_role_arn", None)
        for kind in ("task", "execution")
    ]
    cluster = cluster_arn(call, account, given.get("cluster"))
    context = {
        "ecs:cluster": cluster,
        "ecs:enable-execute-command": given.get("enableExecuteCommand", "false"),
        **({f"aws:resourcetag/{tag['key'].lower()}": tag["value"] for tag in definition.tags} if definition else {}),
        **tags,
    }
    providers = [one["capacityProvider"] for one in json.loads(given.get("capacityProviderStrategy", "[]"))]
    if providers:
        context["ecs:capacity-provider"] = providers
    tasks = cluster.replace(":cluster/", ":task/") + "/*"
    return [Need("ecs:RunTask", arn, context), *_tagging(tasks, tags, call.action), *_passed(roles, account)]


def _of_tasks(call: Call, account: str) -> list[Need]:
    given = call.parameters
    cluster = cluster_arn(call, account, given.get("cluster"))
    names = json.loads(given.get("tasks", "[]")) or [given.get("task", "*")]
    needs = []
    for name in names:
        arn = name if name.startswith("arn:") else f"{cluster.replace(':cluster/', ':task/')}/{name}"
        context = {"ecs:cluster": cluster, **_resource_tags(account, call.region, arn)}
        needs.append(Need(f"ecs:{call.action}", arn, context))
    return needs


def _passed(roles: list[str | None], account: str) -> list[Need]:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html: for both roles."""
    context: _Context = {"iam:passedtoservice": "ecs-tasks.amazonaws.com"}
    named = [role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}" for role in roles if role]
    return [Need("iam:PassRole", role, context) for role in dict.fromkeys(named)]


def _request_tags(call: Call) -> _Context:
    listed = json.loads(call.parameters.get("tags", "[]"))
    if not listed:
        return {}
    found: _Context = {f"aws:requesttag/{tag['key'].lower()}": tag.get("value", "") for tag in listed}
    return {**found, "aws:tagkeys": [tag["key"] for tag in listed]}


def _tagging(arn: str, tags: _Context, action: str) -> list[Need]:
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html"""
    return [Need("ecs:TagResource", arn, {**tags, "ecs:createaction": action})] if tags else []


def _task_definition(account: str, region: str, name: str) -> Any:
    family, _, revision = name.partition(":")
    known = ecs_backends[account][region].task_definitions.get(family, {})
    active = [number for number, one in known.items() if one.status == "ACTIVE"]
    number = int(revision) if revision.isdigit() else max(active, default=0)
    return known.get(number)


def _resource_tags(account: str, region: str, arn: str) -> _Context:
    """The tags of a cluster or a task as condition keys."""
    backend = ecs_backends[account][region]
    kind, _, name = arn.rpartition(":")[2].partition("/")
    found: Any = None
    if kind == "cluster":
        found = backend.clusters.get(name)
    elif kind == "task":
        tasks = [task for tasks in backend.tasks.values() for task in tasks.values()]
        found = next((task for task in tasks if task.task_arn == arn), None)
    return {f"aws:resourcetag/{tag['key'].lower()}": tag.get("value", "") for tag in getattr(found, "tags", None) or []}

"""Everything of the volatility stack that an account has now, by its names, with how to remove what no collection's module removes.

Looked up each time, so an interrupted teardown is finished by running it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.control.text_table import aligned
from chronos_training.control.volatility.settings import parameter_path
from chronos_training.core import aws

_GONE = ("NotFound", "NotFoundException", "DoesNotExist", "NoSuch")
_REASON = "Removed by a teardown."


@dataclass(frozen=True)
class Stack:
    """One environment of the stack in one region."""

    env: str
    region: str
    account: str

    @property
    def prefix(self) -> str:
        """What all its names begin with."""
        return f"volatility-{self.env}"

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return f"{self.prefix}-{self.account}-{self.region}"

    def client(self, service: str) -> Any:
        """Return a client in the stack's region."""
        return aws.client(service, region=self.region)


@dataclass(frozen=True)
class Found:
    """Something that exists: `identity` is what its module takes, `name` what a person calls it."""

    kind: str
    identity: str
    name: str
    detail: str = ""


Finder = Callable[[Stack], Iterator[Found]]


def find(stack: Stack, kinds: tuple[str, ...] | None = None) -> list[Found]:
    """Return what exists, in the order in which it is removed. TrainingError for what cannot be seen."""
    wanted = [(kind, finder) for kind, finder in FINDERS.items() if kinds is None or kind in kinds]

    def look(one: tuple[str, Finder]) -> list[Found]:
        with aws.explained(f"look for the {one[0]} of {stack.prefix}"):
            try:
                return list(one[1](stack))
            except ClientError as error:
                if any(word in aws.error_code(error) for word in _GONE):
                    return []
                raise

    with ThreadPoolExecutor(8) as pool:
        return [found for listed in pool.map(look, wanted) for found in listed]


def table(found: list[Found]) -> list[str]:
    """Return what exists as lines."""
    if not found:
        return ["Nothing exists."]
    return aligned([["kind", "name", "detail"], *[[one.kind, one.name, one.detail] for one in found]])


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def _schedules(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("scheduler"), "list_schedules", "Schedules", GroupName=stack.prefix):
        yield Found("schedule", one["Name"], f"{stack.prefix}/{one['Name']}", one["State"].lower())


def _schedule_groups(stack: Stack) -> Iterator[Found]:
    name = stack.client("scheduler").get_schedule_group(Name=stack.prefix)["Name"]
    yield Found("schedule group", name, name)


def _executions(stack: Stack) -> Iterator[Found]:
    for machine in _machines(stack):
        arguments = {"stateMachineArn": machine.identity, "statusFilter": "RUNNING"}
        for one in _pages(stack.client("stepfunctions"), "list_executions", "executions", **arguments):
            yield Found("execution", one["executionArn"], one["name"], "running")


def _tasks(stack: Stack) -> Iterator[Found]:
    ecs = stack.client("ecs")
    arns = list(_pages(ecs, "list_tasks", "taskArns", cluster=stack.prefix))
    for start in range(0, len(arns), 100):
        for one in ecs.describe_tasks(cluster=stack.prefix, tasks=arns[start : start + 100])["tasks"]:
            detail = f"{one['lastStatus'].lower()}, {one.get('cpu', '?')} CPU units, {one.get('memory', '?')} MiB"
            yield Found("task", one["taskArn"], one["taskArn"].rpartition("/")[2], detail)


def _machines(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("stepfunctions"), "list_state_machines", "stateMachines"):
        if one["name"].startswith(f"{stack.prefix}-"):
            yield Found("state machine", one["stateMachineArn"], one["name"])


def _apis(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("apigateway"), "get_rest_apis", "items"):
        if one["name"] == stack.prefix:
            yield Found("API", one["id"], f"{one['name']} ({one['id']})")


def _usage_plans(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("apigateway"), "get_usage_plans", "items"):
        if one["name"].startswith(stack.prefix):
            yield Found("usage plan", one["id"], one["name"])


def _api_keys(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("apigateway"), "get_api_keys", "items"):
        if one["name"].startswith(stack.prefix):
            yield Found("API key", one["id"], one["name"])


def _gateway_roles(stack: Stack) -> Iterator[Found]:
    arn = stack.client("apigateway").get_account().get("cloudwatchRoleArn", "")
    if arn.endswith(f":role/{stack.prefix}-gateway"):
        yield Found("API Gateway's log role", arn, f"{stack.prefix}-gateway", "of the account's API Gateway")


def _functions(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("lambda"), "list_functions", "Functions"):
        if one["FunctionName"].startswith(f"{stack.prefix}-"):
            yield Found("function", one["FunctionName"], one["FunctionName"])


def _alarms(stack: Stack) -> Iterator[Found]:
    kinds = ["CompositeAlarm", "MetricAlarm"]
    for page in (
        stack.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{stack.prefix}-", AlarmTypes=kinds)
    ):
        for one in [*page.get("CompositeAlarms", []), *page.get("MetricAlarms", [])]:
            yield Found("alarm", one["AlarmName"], one["AlarmName"])


def _dashboards(stack: Stack) -> Iterator[Found]:
    listed = _pages(stack.client("cloudwatch"), "list_dashboards", "DashboardEntries", DashboardNamePrefix=stack.prefix)
    for one in listed:
        if one["DashboardName"] == stack.prefix:
            yield Found("dashboard", one["DashboardName"], one["DashboardName"])


def _rules(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("events"), "list_rules", "Rules", NamePrefix=f"{stack.prefix}-"):
        yield Found("rule", one["Name"], one["Name"])


def _topics(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("sns"), "list_topics", "Topics"):
        if one["TopicArn"].endswith(f":{stack.prefix}-alarms"):
            yield Found("topic", one["TopicArn"], f"{stack.prefix}-alarms")


def _budgets(stack: Stack) -> Iterator[Found]:
    name = stack.client("budgets").describe_budget(AccountId=stack.account, BudgetName=stack.prefix)["Budget"][
        "BudgetName"
    ]
    yield Found("budget", name, name)


def _task_definitions(stack: Stack) -> Iterator[Found]:
    arguments = {"familyPrefix": f"{stack.prefix}-train", "status": "ACTIVE"}
    for arn in _pages(stack.client("ecs"), "list_task_definitions", "taskDefinitionArns", **arguments):
        yield Found("task definition", arn, arn.rpartition("/")[2])


def _clusters(stack: Stack) -> Iterator[Found]:
    for one in stack.client("ecs").describe_clusters(clusters=[stack.prefix])["clusters"]:
        if one["status"] == "ACTIVE":
            yield Found("cluster", one["clusterName"], one["clusterName"])


def _repositories(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("ecr"), "describe_repositories", "repositories"):
        if one["repositoryName"] in (f"{stack.prefix}-batch", f"{stack.prefix}-api"):
            yield Found("repository", one["repositoryName"], one["repositoryName"])


def _log_groups(stack: Stack) -> Iterator[Found]:
    logs = stack.client("logs")
    for beginning in ("/aws/lambda/", "/ecs/", "/aws/vendedlogs/states/", "/apigateway/"):
        wanted = f"{beginning}{stack.prefix}"
        for one in _pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=wanted):
            if one["logGroupName"] == wanted or one["logGroupName"].startswith(f"{wanted}-"):
                yield Found("log group", one["logGroupName"], one["logGroupName"])


def _secrets(stack: Stack) -> Iterator[Found]:
    mine = [{"Key": "name", "Values": [f"volatility/{stack.env}/"]}]
    for one in _pages(stack.client("secretsmanager"), "list_secrets", "SecretList", Filters=mine):
        yield Found("secret", one["Name"], one["Name"])


def _tables(stack: Stack) -> Iterator[Found]:
    name = f"{stack.prefix}-predictions"
    stack.client("dynamodb").describe_table(TableName=name)
    yield Found("table", name, name)


def _security_groups(stack: Stack) -> Iterator[Found]:
    named = [{"Name": "group-name", "Values": [f"{stack.prefix}-train"]}]
    for one in stack.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]:
        yield Found("security group", one["GroupId"], f"{one['GroupName']} ({one['GroupId']})")


def _roles(stack: Stack) -> Iterator[Found]:
    for one in _pages(stack.client("iam"), "list_roles", "Roles"):
        if one["RoleName"].startswith(f"{stack.prefix}-"):
            yield Found("role", one["RoleName"], one["RoleName"])


def _parameters(stack: Stack) -> Iterator[Found]:
    path = parameter_path(stack.env)
    for one in _pages(stack.client("ssm"), "get_parameters_by_path", "Parameters", Path=path):
        yield Found("parameter", one["Name"], one["Name"])


def _buckets(stack: Stack) -> Iterator[Found]:
    with contextlib.suppress(ClientError):
        stack.client("s3").head_bucket(Bucket=stack.bucket)
        yield Found("bucket", stack.bucket, stack.bucket, "holds data")


def _keys(stack: Stack) -> Iterator[Found]:
    found = stack.client("kms").describe_key(KeyId=f"alias/{stack.prefix}")["KeyMetadata"]
    if found["KeyState"] != "PendingDeletion":
        yield Found("key", found["KeyId"], f"alias/{stack.prefix}", "what the bucket is encrypted with")


# In the order in which it is removed: what starts something first, the data and its key last.
FINDERS: dict[str, Finder] = {
    "schedule": _schedules,
    "schedule group": _schedule_groups,
    "execution": _executions,
    "task": _tasks,
    "state machine": _machines,
    "usage plan": _usage_plans,
    "API key": _api_keys,
    "API": _apis,
    "API Gateway's log role": _gateway_roles,
    "alarm": _alarms,
    "dashboard": _dashboards,
    "rule": _rules,
    "function": _functions,
    "topic": _topics,
    "budget": _budgets,
    "task definition": _task_definitions,
    "cluster": _clusters,
    "repository": _repositories,
    "log group": _log_groups,
    "secret": _secrets,
    "table": _tables,
    "security group": _security_groups,
    "role": _roles,
    "parameter": _parameters,
    "bucket": _buckets,
    "key": _keys,
}
# What stays with the data, unless the bucket is named: without the key the data would be of no use.
KEPT = ("bucket", "key")


def remove(stack: Stack, kinds: tuple[str, ...], *, check_mode: bool) -> list[Found]:
    """Remove what exists of `kinds`, which REMOVERS has all of; return it."""
    found = find(stack, kinds)
    for one in found if not check_mode else []:
        with aws.explained(f"remove the {one.kind} {one.name}"), contextlib.suppress(_Gone):
            _remove(stack, one)
    return found


class _Gone(Exception):
    """It was removed by somebody else, or with what it belonged to."""


def _remove(stack: Stack, found: Found) -> None:
    try:
        REMOVERS[found.kind](stack, found.identity)
    except ClientError as error:
        if any(word in aws.error_code(error) for word in _GONE):
            raise _Gone from error
        raise


def _remove_usage_plan(stack: Stack, identity: str) -> None:
    api = stack.client("apigateway")
    # A plan that has stages is not deleted.
    stages = api.get_usage_plan(usagePlanId=identity).get("apiStages", [])
    changes = [{"op": "remove", "path": "/apiStages", "value": f"{one['apiId']}:{one['stage']}"} for one in stages]
    if changes:
        api.update_usage_plan(usagePlanId=identity, patchOperations=changes)
    api.delete_usage_plan(usagePlanId=identity)


def _unset_gateway_role(stack: Stack, _: str) -> None:
    unset = {"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}
    stack.client("apigateway").update_account(patchOperations=[unset])


def _remove_rule(stack: Stack, identity: str) -> None:
    events = stack.client("events")
    targets = [one["Id"] for one in events.list_targets_by_rule(Rule=identity)["Targets"]]
    if targets:
        events.remove_targets(Rule=identity, Ids=targets)
    events.delete_rule(Name=identity)


# What the collections have no module for; theirs for repositories says nothing in check mode.
REMOVERS: dict[str, Callable[[Stack, str], Any]] = {
    "schedule": lambda stack, name: stack.client("scheduler").delete_schedule(Name=name, GroupName=stack.prefix),
    "schedule group": lambda stack, name: stack.client("scheduler").delete_schedule_group(Name=name),
    "task": lambda stack, arn: stack.client("ecs").stop_task(cluster=stack.prefix, task=arn, reason=_REASON),
    "usage plan": _remove_usage_plan,
    "API key": lambda stack, identity: stack.client("apigateway").delete_api_key(apiKey=identity),
    "API Gateway's log role": _unset_gateway_role,
    "dashboard": lambda stack, name: stack.client("cloudwatch").delete_dashboards(DashboardNames=[name]),
    "rule": _remove_rule,
    "repository": lambda stack, name: stack.client("ecr").delete_repository(repositoryName=name, force=True),
    "budget": lambda stack, name: stack.client("budgets").delete_budget(AccountId=stack.account, BudgetName=name),
}

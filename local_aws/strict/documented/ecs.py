"""What ECS refuses by its documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local_aws.strict.rules import Parameters, Refusal, tag_refusals

# CPU units to MiB: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_SIZES: dict[int, frozenset[int]] = {
    256: frozenset([512, 1024, 2048]),
    512: frozenset(range(1024, 4096 + 1, 1024)),
    1024: frozenset(range(2048, 8192 + 1, 1024)),
    2048: frozenset(range(4096, 16384 + 1, 1024)),
    4096: frozenset(range(8192, 30720 + 1, 1024)),
    8192: frozenset(range(16384, 61440 + 1, 4096)),
    16384: frozenset(range(32768, 122880 + 1, 8192)),
}
_ECR = re.compile(r"(?:\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com|127\.0\.0\.1(?::\d+)?|localhost(?::\d+)?)/")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
_MOST_TASKS = 10
_LONGEST_STOP = 120  # seconds
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html: what Fargate does not have
_NOT_ON_FARGATE = ("links", "dockerSecurityOptions", "extraHosts", "hostname", "disableNetworking")


def refusals(action: str, given: Parameters) -> Iterator[Refusal]:
    """See local_aws.strict.documented."""
    tags = [{"Key": tag.get("key", ""), "Value": tag.get("value", "")} for tag in given.get("tags", [])]
    yield from tag_refusals(tags, "InvalidParameterException", unique=True)
    if action == "CreateCluster" and not _NAME.fullmatch(given.get("clusterName", "default")):
        yield Refusal("InvalidParameterException", "Cluster name contains invalid characters.")
    if action == "RegisterTaskDefinition":
        yield from _names(given)
        if "FARGATE" in given.get("requiresCompatibilities", []):
            yield from _fargate(given)
    if action == "RunTask" and not 1 <= int(given.get("count", 1)) <= _MOST_TASKS:
        yield Refusal("InvalidParameterException", f"count must be between 1 and {_MOST_TASKS}.")


def _names(given: Parameters) -> Iterator[Refusal]:
    if not _NAME.fullmatch(given.get("family", "")):
        yield _client("Family contains invalid characters.")
    names = [one.get("name", "") for one in given.get("containerDefinitions", [])]
    if not names:
        yield _client("Container definitions should not be empty.")
    for name in names:
        if not _NAME.fullmatch(name):
            yield _client(f"Container.name contains invalid characters: '{name}'.")
    if len(set(names)) < len(names):
        yield _client("Container names must be unique.")
    if names and not any(one.get("essential", True) for one in given["containerDefinitions"]):
        yield _client("A task definition must have at least one essential container.")


def _fargate(given: Parameters) -> Iterator[Refusal]:
    if given.get("networkMode") != "awsvpc":
        yield _client("Fargate only supports network mode 'awsvpc'.")
    if not given.get("cpu") or not given.get("memory"):
        missing = "cpu" if not given.get("cpu") else "memory"
        yield _client(f"Fargate requires that '{missing}' be defined at the task level.")
    elif not fargate_size(given["cpu"], given["memory"]):
        yield _client("No Fargate configuration exists for given values.")
    definitions = given.get("containerDefinitions", [])
    if not given.get("executionRoleArn"):
        if any(_ECR.match(one.get("image", "")) for one in definitions):
            yield _client("Fargate requires task definition to have execution role ARN to support ECR images.")
        for driver in {one["logConfiguration"]["logDriver"] for one in definitions if one.get("logConfiguration")}:
            yield _client(
                f"Fargate requires task definition to have execution role ARN to support log driver {driver}."
            )
        if any(one.get("secrets") for one in definitions):
            yield _client(
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
            )
    for one in definitions:
        yield from _container(one)


def _container(one: dict[str, Any]) -> Iterator[Refusal]:
    for name in _NOT_ON_FARGATE:
        if one.get(name):
            yield _client(f"Tasks using the Fargate launch type do not support {name}.")
    if one.get("privileged"):
        yield _client("Fargate tasks do not support privileged containers.")
    if int(one.get("stopTimeout") or 0) > _LONGEST_STOP:
        yield _client(f"stopTimeout of {one['stopTimeout']} seconds exceeds the maximum of {_LONGEST_STOP} seconds.")
    options = (one.get("logConfiguration") or {}).get("options") or {}
    if (one.get("logConfiguration") or {}).get("logDriver") == "awslogs":
        needed = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
        missing = [option for option in needed if not options.get(option)]
        if missing:
            yield _client(f"Log driver awslogs requires options: {', '.join(missing)}")


def fargate_size(cpu: Any, memory: Any) -> tuple[int, int] | None:
    """Return CPU units and MiB, if Fargate has tasks of this size. Both may be written as `2 vCPU` and `4 GB`, too."""
    try:
        size = _number(str(cpu), "vcpu"), _number(str(memory), "gb")
    except ValueError:
        return None
    return size if size[1] in FARGATE_SIZES.get(size[0], ()) else None


def _number(text: str, unit: str) -> int:
    small = text.lower().replace(" ", "")
    if small.endswith(unit):
        return int(float(small.removesuffix(unit)) * 1024)
    return int(small)


def _client(message: str) -> Refusal:
    return Refusal("ClientException", message)

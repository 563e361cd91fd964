"""What a schedule calls: the templated targets, and any operation of any service as a universal target.

Every call is made as a client with the schedule's role, so that its policies decide.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

# client_of(botocore's name of a service, region) -> a client in the schedule's role
ClientOf = Callable[[str, str], Any]
Target = dict[str, Any]

_UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
_READING = re.compile(
    "get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|batchRead|"
    "transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|invokeModel"
)


class InvalidTarget(ValueError):
    """AWS refuses the target; `args[0]` is what it says."""


class TargetError(Exception):
    """The target took the call and refused what was in it. `code` and `args[0]` are what the dead-letter queue says."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def check(target: Target) -> None:
    """Raise InvalidTarget for a target that CreateSchedule refuses."""
    arn = target.get("Arn", "")
    if arn.startswith(_UNIVERSAL):
        operation = _operation(arn)
        try:
            given = json.loads(target.get("Input") or "{}")
        except ValueError:
            raise InvalidTarget("Invalid RequestJson provided. Reason: Input is not valid JSON.") from None
        if not isinstance(given, dict):
            raise InvalidTarget("Invalid RequestJson provided. Reason: Input is not a JSON object.")
        if operation.input_shape is not None:
            report = ParamValidator().validate(_as_modelled(operation.input_shape, given), operation.input_shape)
            if report.has_errors():
                raise InvalidTarget(f"Invalid RequestJson provided. Reason: {report.generate_report()}")
        return
    name, rest = _service_and_resource(arn)
    if name not in _TEMPLATES:
        raise InvalidTarget(f"{name} is not a supported service for a target.")
    if not rest.startswith(_TEMPLATES[name][0]):
        raise InvalidTarget("Provided Arn is not in correct format.")
    for service, member in (("ecs", "EcsParameters"), ("events", "EventBridgeParameters")):
        if (name == service) != (member in target):
            said = "are required" if name == service else "cannot be specified"
            raise InvalidTarget(f"{member} {said} for the target {arn}.")
    if name == "events" and not target.get("Input"):
        raise InvalidTarget("Input is required for an EventBridge target.")
    if name == "sqs" and rest.endswith(".fifo") != ("SqsParameters" in target):
        raise InvalidTarget("SqsParameters with a MessageGroupId are for FIFO queues, and required for them.")


def call(target: Target, text: str, client_of: ClientOf, endpoint: str, region: str) -> None:
    """Call the target with `text` as its input. What botocore raises passes through."""
    arn = target["Arn"]
    if arn.startswith(_UNIVERSAL):
        operation = _operation(arn)
        given = json.loads(text or "{}")
        client = client_of(_botocore_names()[arn.removeprefix(_UNIVERSAL).split(":")[0]], region)
        shape = operation.input_shape
        getattr(client, xform_name(operation.name))(**(_as_modelled(shape, given) if shape is not None else {}))
        return
    _, _, _, region, account, _ = arn.split(":", 5)
    service, rest = _service_and_resource(arn)
    if service == "sqs":
        queue = f"{endpoint}/{account}/{rest}"
        client_of("sqs", region).send_message(QueueUrl=queue, MessageBody=text, **target.get("SqsParameters", {}))
        return
    _TEMPLATES[service][1](client_of(_APIS.get(service, service), region), target, text)


def _service_and_resource(arn: str) -> tuple[str, str]:
    found = re.fullmatch(r"arn:aws:([a-z0-9-]+):[a-z0-9-]*:(?:\d{12})?:(.+)", arn)
    if found is None:
        raise InvalidTarget("Provided Arn is not in correct format.")
    return found[1], found[2]


def _invoke(client: Any, target: Target, text: str) -> None:
    client.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())


def _start_execution(client: Any, target: Target, text: str) -> None:
    client.start_execution(stateMachineArn=target["Arn"], input=text or "{}")


def _publish(client: Any, target: Target, text: str) -> None:
    client.publish(TopicArn=target["Arn"], Message=text)


def _put_event(client: Any, target: Target, text: str) -> None:
    event = {**target["EventBridgeParameters"], "Detail": text, "EventBusName": target["Arn"]}
    [entry] = client.put_events(Entries=[event])["Entries"]
    if "ErrorCode" in entry:
        raise TargetError(entry["ErrorCode"], entry.get("ErrorMessage", ""))


def _run_task(client: Any, target: Target, text: str) -> None:
    client.run_task(**task_request(target["Arn"], target["EcsParameters"], text))


def task_request(cluster: str, given: dict[str, Any], text: str) -> dict[str, Any]:
    """Return RunTask's request for the EcsParameters of a schedule or a rule. `text` is a JSON of overrides, or empty."""
    names = {
        "TaskDefinitionArn": "taskDefinition",
        "TaskCount": "count",
        "EnableECSManagedTags": "enableECSManagedTags",
    }
    request: dict[str, Any] = {"cluster": cluster, "count": 1}
    for name, value in given.items():
        request[names.get(name, _lower(name))] = _tags(value) if name == "Tags" else _lowered(value)
    if text:
        request["overrides"] = json.loads(text)
    return request


def _tags(given: list[dict[str, str]]) -> list[dict[str, str]]:
    """A rule has pairs of Key and Value, a schedule maps."""
    pairs = [(tag["Key"], tag["Value"]) for tag in given if set(tag) == {"Key", "Value"}]
    pairs += [pair for tag in given if set(tag) != {"Key", "Value"} for pair in tag.items()]
    return [{"key": key, "value": value} for key, value in pairs]


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {_lower(key): _lowered(one) for key, one in value.items()}
    return [_lowered(one) for one in value] if isinstance(value, list) else value


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


_TEMPLATES: dict[str, tuple[str, Callable[[Any, Target, str], None]]] = {
    "ecs": ("cluster/", _run_task),
    "events": ("event-bus/", _put_event),
    "lambda": ("function:", _invoke),
    "sns": ("", _publish),
    "sqs": ("", _publish),  # see call()
    "states": ("stateMachine:", _start_execution),
}
_APIS = {"states": "stepfunctions"}


def _operation(arn: str) -> OperationModel:
    """The operation of a universal target's ARN. InvalidTarget when there is none that a schedule may call."""
    service, _, action = arn.removeprefix(_UNIVERSAL).partition(":")
    if service not in _botocore_names():
        raise InvalidTarget(f"{service} is not a supported service for a target.")
    model = get_service_model(_botocore_names()[service])
    names = {_lower(name).lower(): name for name in model.operation_names}
    if _READING.match(action) or action[:1].isupper() or action.lower() not in names:
        raise InvalidTarget(f"{action} is not a supported api for a target of the service {service}.")
    return model.operation_model(names[action.lower()])


def _as_modelled(shape: Any, value: Any) -> Any:
    """The value with its members' names as the model spells them: AWS takes MessageBody and messageBody."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        return {
            names.get(key.lower(), key): _as_modelled(shape.members[names[key.lower()]], one)
            if key.lower() in names
            else one
            for key, one in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_as_modelled(shape.member, one) for one in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _as_modelled(shape.value, one) for key, one in value.items()}
    return value


@functools.cache
def _botocore_names() -> dict[str, str]:
    """The name of a service in a universal target's ARN, to botocore's. The former is the service's id: SFN is sfn."""
    names = {name.replace("-", ""): name for name in botocore.session.get_session().get_available_services()}
    for known, name in (("sfn", "stepfunctions"), ("eventbridge", "events"), ("cloudwatchlogs", "logs")):
        names[known] = names.pop(name)
    return names

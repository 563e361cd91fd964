"""Whether a definition is a state machine, as CreateStateMachine and ValidateStateMachineDefinition say it.

moto 5.2.5 accepts transitions to states that are not there, states that nobody reaches or that go nowhere, and any
resource.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws.services.patching import add, replace
from local_aws.services.stepfunctions.api_names import SDK_NAMES

_SCHEMA, _TARGET, _JSON = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET", "INVALID_JSON_DESCRIPTION"


class InvalidDefinition(AWSError):
    TYPE = "InvalidDefinition"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `place` as AWS writes it: /States/A/Next."""

    code: str
    message: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" at {self.place}" if self.place else "")


def install() -> None:
    """Let moto refuse what is no state machine."""
    replace(StepFunctionsParserBackend, _validate_definition=staticmethod(_refuse))
    add(StepFunctionResponse, validate_state_machine_definition=_validate_state_machine_definition)


def _refuse(definition: str) -> None:
    found = list(faults(definition))
    if found:
        raise InvalidDefinition(f"Invalid State Machine Definition: '{', '.join(map(str, found))}'")


def _validate_state_machine_definition(self: StepFunctionResponse) -> ActionResult:
    found = list(faults(self._get_param("definition")))
    diagnostics = [
        {"severity": "ERROR", "code": fault.code, "message": fault.message, "location": fault.place} for fault in found
    ]
    return ActionResult({"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": False})


def faults(text: str) -> Iterator[Fault]:
    """Yield what is wrong with a definition."""
    try:
        document = json.loads(text)
    except ValueError as error:
        yield Fault(_JSON, f"Invalid JSON: {error}")
        return
    if not isinstance(document, dict):
        yield Fault(_SCHEMA, "Value is not of type object", "/")
        return
    seen: set[str] = set()
    ours = list(_machine(document, "", seen, top=True))
    yield from ours
    if not ours:  # what is left to find: intrinsic functions, paths, comparisons
        try:
            AmazonStateLanguageParser.parse(text)
        except ASLParserException as error:
            yield Fault(_SCHEMA, str(error))
        except Exception as error:
            yield Fault(_SCHEMA, f"{error}")


_ENDS = {"Next", "End"}
_DATA = {"InputPath", "OutputPath"}
_RESULT = {"ResultPath", "ResultSelector", "Parameters"}
_FAILING = {"Retry", "Catch"}
_COMMON = {"Type", "Comment", "QueryLanguage"}
_FIELDS: dict[str, set[str]] = {
    "Task": {
        "Resource", "TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath", "Credentials",
        "Assign", *_RESULT, *_DATA, *_ENDS, *_FAILING,
    },
    "Pass": {"Result", "ResultPath", "Parameters", "Assign", *_DATA, *_ENDS},
    "Wait": {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "Assign", *_DATA, *_ENDS},
    "Choice": {"Choices", "Default", "Assign", *_DATA},
    "Succeed": {*_DATA},
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
    "Parallel": {"Branches", "Assign", *_RESULT, *_DATA, *_ENDS, *_FAILING},
    "Map": {
        "ItemProcessor", "Iterator", "ItemsPath", "ItemSelector", "MaxConcurrency", "MaxConcurrencyPath", "Label",
        "ToleratedFailureCount", "ToleratedFailurePercentage", "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath", "ItemReader", "ItemBatcher", "ResultWriter", "Assign",
        *_RESULT, *_DATA, *_ENDS, *_FAILING,
    },
}  # fmt: skip
_REQUIRED = {"Task": ["Resource"], "Choice": ["Choices"], "Parallel": ["Branches"]}
_TOP = {"StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage"}
_UNKNOWN = "The embedded AWS does not know"


def _machine(document: dict[str, Any], where: str, seen: set[str], *, top: bool = False) -> Iterator[Fault]:
    """A state machine, a branch, or what a Map state does with an item."""
    known = _TOP if top else {"StartAt", "States", "Comment", "QueryLanguage", "ProcessorConfig"}
    yield from (Fault(_SCHEMA, "Field is not supported", f"{where}/{name}") for name in document if name not in known)
    missing = [name for name in ("StartAt", "States") if name not in document]
    if missing:
        yield Fault(_SCHEMA, f"These fields are required: [{', '.join(missing)}]", where or "/")
        return
    if document.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield Fault(_SCHEMA, f"{_UNKNOWN} the query language {document['QueryLanguage']}", f"{where}/QueryLanguage")
        return
    states = document["States"]
    if not isinstance(states, dict) or not states:
        yield Fault(_SCHEMA, "A non-empty object is required", f"{where}/States")
        return
    if document["StartAt"] not in states:
        yield Fault(_TARGET, f"Missing 'StartAt' target: {document['StartAt']}", f"{where}/StartAt")
    for name, state in states.items():
        place = f"{where}/States/{name}"
        if len(name) > 80:
            yield Fault(_SCHEMA, "State name must have a length of 80 at most", place)
        if name in seen:
            yield Fault("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", place)
        seen.add(name)
        if not isinstance(state, dict):
            yield Fault(_SCHEMA, "Value is not of type object", place)
            return
        yield from _state(state, place, seen)
        for target, field in _targets(state):
            if target not in states:
                yield Fault(_TARGET, f"Missing '{field.rpartition('/')[2]}' target: {target}", f"{place}/{field}")
    yield from _unreachable(document["StartAt"], states, where)


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield state[field], field
    for field in ("Choices", "Catch"):
        for number, one in enumerate(state.get(field) or ()):
            if isinstance(one, dict) and isinstance(one.get("Next"), str):
                yield one["Next"], f"{field}[{number}]/Next"


def _unreachable(start: str, states: dict[str, Any], where: str) -> Iterator[Fault]:
    reached, coming = set(), [start]
    while coming:
        name = coming.pop()
        if name in states and name not in reached:
            reached.add(name)
            coming += [target for target, _ in _targets(states[name])]
    for name in states:
        if name not in reached:
            yield Fault(_TARGET, f'State "{name}" is not reachable.', f"{where}/States/{name}")


def _state(state: dict[str, Any], place: str, seen: set[str]) -> Iterator[Fault]:
    kind = state.get("Type")
    if kind not in _FIELDS:
        yield Fault(_SCHEMA, f"Value is not one of [{', '.join(sorted(_FIELDS))}]", f"{place}/Type")
        return
    if state.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield Fault(_SCHEMA, f"{_UNKNOWN} the query language {state['QueryLanguage']}", f"{place}/QueryLanguage")
        return
    for name in state:
        if name not in _FIELDS[kind] | _COMMON:
            yield Fault(_SCHEMA, "Field is not supported", f"{place}/{name}")
    missing = [name for name in _REQUIRED.get(kind, ()) if name not in state]
    if missing:
        yield Fault(_SCHEMA, f"These fields are required: [{', '.join(missing)}]", place)
    if _FIELDS[kind] >= _ENDS and len(_ENDS & set(state)) != 1:
        yield Fault(_SCHEMA, "Exactly one of these fields is required: [Next, End]", place)
    for name in ("Parameters", "ResultSelector", "ItemSelector", "Assign"):
        yield from _template(state.get(name), f"{place}/{name}")
    for name in [*_DATA, "ResultPath", "ItemsPath"]:
        value = state.get(name)
        if value is not None and not (isinstance(value, str) and value.startswith("$")):
            yield Fault(_SCHEMA, f"Invalid path '{value}': a path begins with $", f"{place}/{name}")
    yield from _retry_and_catch(state, place)
    if kind == "Task" and isinstance(state.get("Resource"), str):
        yield from _resource(state, place)
        yield from _times(state, place)
    elif kind == "Wait":
        given = [name for name in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if name in state]
        if len(given) != 1:
            yield Fault(
                _SCHEMA,
                "Exactly one of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]",
                place,
            )
    elif kind == "Choice" and not state.get("Choices"):
        yield Fault(_SCHEMA, "A non-empty array is required", f"{place}/Choices")
    elif kind == "Parallel":
        for number, branch in enumerate(state.get("Branches") or ()):
            yield from _machine(branch, f"{place}/Branches[{number}]", seen)
    elif kind == "Map":
        yield from _map(state, place, seen)


def _map(state: dict[str, Any], place: str, seen: set[str]) -> Iterator[Fault]:
    given = [name for name in ("ItemProcessor", "Iterator") if name in state]
    if len(given) != 1:
        yield Fault(_SCHEMA, "Exactly one of these fields is required: [ItemProcessor, Iterator]", place)
        return
    for name in ("ItemReader", "ItemBatcher", "ResultWriter"):
        if name in state:
            yield Fault(_SCHEMA, f"{_UNKNOWN} {name}: Map states are inline here", f"{place}/{name}")
    processor = state[given[0]]
    if processor.get("ProcessorConfig", {}).get("Mode", "INLINE") != "INLINE":
        yield Fault(_SCHEMA, f"{_UNKNOWN} distributed Map states", f"{place}/{given[0]}/ProcessorConfig/Mode")
    yield from _machine(processor, f"{place}/{given[0]}", seen)


_RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
}
_CATCHER = {"ErrorEquals", "Next", "ResultPath", "Comment", "Assign"}


def _retry_and_catch(state: dict[str, Any], place: str) -> Iterator[Fault]:
    for field, known in (("Retry", _RETRIER), ("Catch", _CATCHER)):
        entries = state.get(field, [])
        if not isinstance(entries, list):
            yield Fault(_SCHEMA, "Value is not of type array", f"{place}/{field}")
            continue
        for number, entry in enumerate(entries):
            where = f"{place}/{field}[{number}]"
            yield from (
                Fault(_SCHEMA, "Field is not supported", f"{where}/{name}") for name in entry if name not in known
            )
            names = entry.get("ErrorEquals")
            if not names:
                yield Fault(_SCHEMA, "These fields are required: [ErrorEquals]", where)
            elif "States.ALL" in names and (len(names) > 1 or number < len(entries) - 1):
                yield Fault(_SCHEMA, "States.ALL must appear alone, and in the last entry", f"{where}/ErrorEquals")
            if field == "Catch" and "Next" not in entry:
                yield Fault(_SCHEMA, "These fields are required: [Next]", where)
            for name, least in (("IntervalSeconds", 1), ("MaxAttempts", 0), ("BackoffRate", 1), ("MaxDelaySeconds", 1)):
                value = entry.get(name)
                if value is not None and (
                    isinstance(value, bool) or not isinstance(value, int | float) or value < least
                ):
                    yield Fault(_SCHEMA, f"Value must be a number of {least} at least", f"{where}/{name}")
            if entry.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
                yield Fault(_SCHEMA, "Value is not one of [FULL, NONE]", f"{where}/JitterStrategy")


def _times(state: dict[str, Any], place: str) -> Iterator[Fault]:
    for name in ("TimeoutSeconds", "HeartbeatSeconds"):
        value = state.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 99_999_999
        ):
            yield Fault(_SCHEMA, "Value must be an integer from 1 to 99999999", f"{place}/{name}")
        if name in state and f"{name}Path" in state:
            yield Fault(_SCHEMA, f"Only one of these fields is allowed: [{name}, {name}Path]", place)
    limit, beat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(limit, int) and isinstance(beat, int) and beat >= limit:
        yield Fault(_SCHEMA, "HeartbeatSeconds must be smaller than TimeoutSeconds", f"{place}/HeartbeatSeconds")


def _template(value: Any, place: str) -> Iterator[Fault]:
    """A field whose name ends with .$ has a path or an intrinsic function."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.endswith(".$"):
                yield from _template(inner, f"{place}/{name}")
            elif not isinstance(inner, str) or not inner.startswith(("$", "States.")):
                said = f"The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
                yield Fault(_SCHEMA, said, f"{place}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _template(inner, f"{place}[{number}]")


# Resources

_PATTERNS = {
    "lambda:invoke": {"", "waitForTaskToken"},
    "ecs:runTask": {"", "sync", "waitForTaskToken"},
    "states:startExecution": {"", "sync", "sync:2", "waitForTaskToken"},
    "sns:publish": {"", "waitForTaskToken"},
    "sqs:sendMessage": {"", "waitForTaskToken"},
    "events:putEvents": {"", "waitForTaskToken"},
    **{f"dynamodb:{name}Item": {""} for name in ("get", "put", "update", "delete")},
}
_RESOURCE = re.compile(r"arn:aws:states:[\w-]*:\d*:([\w-]+):([\w:]+?)(?:\.(sync|sync:2|waitForTaskToken))?")
_OTHERS = [
    "apigateway",
    "athena",
    "batch",
    "bedrock",
    "codebuild",
    "databrew",
    "eks",
    "elasticmapreduce",
    "glue",
    "mediaconvert",
    "sagemaker",
    "http",
]


def _resource(state: dict[str, Any], place: str) -> Iterator[Fault]:
    arn, where = state["Resource"], f"{place}/Resource"
    if re.fullmatch(r"arn:aws:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?", arn):
        return
    if re.fullmatch(r"arn:aws:states:[\w-]+:\d{12}:activity:.+", arn):
        yield Fault(_SCHEMA, f"{_UNKNOWN} activities", where)
        return
    found = _RESOURCE.fullmatch(arn)
    service, action, pattern = found.groups() if found else ("", "", None)
    if service in _OTHERS:
        yield Fault(_SCHEMA, f"{_UNKNOWN} the integration {service}:{action}", where)
        return
    if service == "aws-sdk":
        known = _is_operation(*action.partition(":")[::2]) and pattern in (None, "waitForTaskToken")
    else:
        known = (pattern or "") in _PATTERNS.get(f"{service}:{action}", ())
    if not known:
        yield Fault(
            _SCHEMA,
            f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the resource "
            "is not available in this region.",
            where,
        )
    elif service != "aws-sdk":
        for name in _parameters(service, action, state.get("Parameters") or {}):
            yield Fault(_SCHEMA, f'The field "{name}" is not supported by Step Functions', f"{place}/Parameters")


def _is_operation(service: str, action: str) -> bool:
    from local_aws.strict.request import operation_of

    pascal = action[:1].upper() + action[1:]
    return action[:1].islower() and operation_of(SDK_NAMES.get(service, service), pascal) is not None


def _parameters(service: str, action: str, given: dict[str, Any]) -> Iterator[str]:
    """Yield the parameters that the integration does not take."""
    name = {"states": "sfn"}.get(service, service)
    module: Any = importlib.import_module(
        f"moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_{name}"
    )
    bindings = {key.lower(): value for key, value in module._SUPPORTED_API_PARAM_BINDINGS.items()}
    known = bindings.get(action.lower())
    if known is not None:
        yield from (key for key in given if key.removesuffix(".$") not in known)

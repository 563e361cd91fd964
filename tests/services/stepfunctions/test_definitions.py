"""What is no state machine, and what the embedded AWS does not know, is refused when it is made."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.stepfunctions.conftest import Machines, task

PASS = {"Type": "Pass", "End": True}
FINE: dict[str, Any] = {
    "Comment": "c",
    "StartAt": "A",
    "TimeoutSeconds": 60,
    "States": {
        "A": task(
            "lambda:invoke",
            {"FunctionName": "f", "Payload.$": "$"},
            TimeoutSeconds=60,
            HeartbeatSeconds=5,
            Next="B",
            Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 0, "JitterStrategy": "FULL"}],
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "F"}],
        ),
        "B": task("arn:aws:lambda:us-east-1:123456789012:function:f:live".removeprefix("arn:aws:states:::"), Next="C"),
        "C": {"Type": "Choice", "Choices": [{"Not": {"Variable": "$.a", "IsNull": True}, "Next": "P"}], "Default": "W"},
        "P": {"Type": "Parallel", "Branches": [{"StartAt": "P1", "States": {"P1": PASS}}], "Next": "M"},
        "M": {
            "Type": "Map",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "M1", "States": {"M1": PASS}},
            "ItemSelector": {"x.$": "$$.Map.Item.Value"},
            "Next": "W",
        },
        "W": {"Type": "Wait", "SecondsPath": "$.s", "Next": "E"},
        "E": task(
            "ecs:runTask.sync", {"Cluster": "c", "TaskDefinition": "t", "CapacityProviderStrategy": []}, Next="S"
        ),
        "S": {"Type": "Succeed"},
        "F": {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"},
    },
}
FINE["States"]["B"]["Resource"] = "arn:aws:lambda:us-east-1:123456789012:function:f:live"


def diagnostics(machines: Machines, definition: Any) -> list[str]:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    answer = machines.client.validate_state_machine_definition(definition=text)
    assert (answer["result"] == "OK") == (not answer["diagnostics"])
    return [f"{one['code']}: {one['message']} at {one.get('location', '')}" for one in answer["diagnostics"]]


def test_a_fine_definition(machines: Machines) -> None:
    assert diagnostics(machines, FINE) == []


def changed(*path: Any, to: Any = None) -> dict[str, Any]:
    """The definition with one thing changed, or left out."""
    made = copy.deepcopy(FINE)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return made


A = ("States", "A")


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("{", "INVALID_JSON_DESCRIPTION"),
        (changed("StartAt"), "These fields are required: [StartAt] at /"),
        (changed("StartAt", to="Z"), "MISSING_TRANSITION_TARGET: Missing 'StartAt' target: Z at /StartAt"),
        (changed(*A, "Next", to="Z"), "MISSING_TRANSITION_TARGET: Missing 'Next' target: Z at /States/A/Next"),
        (changed(*A, "Catch", 0, "Next", to="Z"), "Missing 'Next' target: Z at /States/A/Catch[0]/Next"),
        (changed("States", "C", "Default", to="Z"), "Missing 'Default' target: Z at /States/C/Default"),
        (changed("States", "X", to=PASS), 'State "X" is not reachable. at /States/X'),
        (changed("States", "W", "Next"), "Exactly one of these fields is required: [Next, End] at /States/W"),
        (changed(*A, "Foo", to=1), "SCHEMA_VALIDATION_FAILED: Field is not supported at /States/A/Foo"),
        (changed("Foo", to=1), "Field is not supported at /Foo"),
        (changed(*A, "Type", to="Tusk"), "Value is not one of [Choice, Fail, Map"),
        (changed(*A, "Resource"), "These fields are required: [Resource] at /States/A"),
        (changed(*A, "Resource", to="arn:aws:states:::lambda:invok"), "is not recognized"),
        (changed(*A, "Resource", to="arn:aws:states:::lambda:invoke.sync"), "is not recognized"),
        (changed(*A, "Resource", to="arn:aws:states:::aws-sdk:s3:getObjects"), "is not recognized"),
        (changed(*A, "Resource", to="arn:aws:states:::glue:startJobRun.sync"), "The embedded AWS does not know"),
        (changed("States", "E", "Parameters", "Image", to="x"), 'The field "Image" is not supported by Step Functions'),
        (changed(*A, "Parameters", "Payload.$", to="x"), "must be a valid JSONPath or a valid intrinsic function call"),
        (changed(*A, "Parameters", "Payload.$", to="States.Nope($)"), "SCHEMA_VALIDATION_FAILED"),
        (changed(*A, "Retry", 0, "BackoffRate", to=0.5), "at /States/A/Retry[0]/BackoffRate"),
        (changed(*A, "Retry", 0, "ErrorEquals", to=["States.ALL", "B"]), "States.ALL must appear alone"),
        (changed(*A, "HeartbeatSeconds", to=60), "HeartbeatSeconds must be smaller than TimeoutSeconds"),
        (
            changed(*A, "TimeoutSeconds", to=0),
            "Value must be an integer from 1 to 99999999 at /States/A/TimeoutSeconds",
        ),
        (changed("States", "W", "Seconds", to=1), "Exactly one of these fields is required: [Seconds"),
        (changed("States", "P", "Branches", 0, "States", "S", to=PASS), "DUPLICATE_STATE_NAME"),
        (changed("QueryLanguage", to="JSONata"), "The embedded AWS does not know the query language JSONata"),
        (changed("States", "W", "QueryLanguage", to="JSONata"), "does not know the query language JSONata"),
        (
            changed("States", "M", "ItemProcessor", "ProcessorConfig", "Mode", to="DISTRIBUTED"),
            "distributed Map states",
        ),
    ],
)
def test_what_is_refused(machines: Machines, definition: Any, said: str) -> None:
    found = diagnostics(machines, definition)
    assert any(said in one for one in found), found


def test_creation_and_update_refuse_as_well(machines: Machines) -> None:
    role = machines.role(name="r")
    create = machines.client.create_state_machine
    bad = json.dumps(changed(*A, "Next", to="Z"))
    with pytest.raises(ClientError, match=r"InvalidDefinition.*Missing 'Next' target: Z at /States/A/Next"):
        create(name="m", definition=bad, roleArn=role)
    good = json.dumps({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}})
    arn = create(name="m", definition=good, roleArn=role)["stateMachineArn"]
    assert create(name="m", definition=good, roleArn=role)["stateMachineArn"] == arn
    with pytest.raises(ClientError, match="StateMachineAlreadyExists"):
        create(name="m", definition=good.replace("Succeed", "Fail"), roleArn=role)
    with pytest.raises(ClientError, match="InvalidDefinition"):
        machines.client.update_state_machine(stateMachineArn=arn, definition=bad)
    with pytest.raises(ClientError, match="does not know EXPRESS"):
        create(name="e", definition=good, roleArn=role, type="EXPRESS")
    published = machines.client.update_state_machine(stateMachineArn=arn, roleArn=role, publish=True)
    version = published["stateMachineVersionArn"]
    execution = machines.start(version)
    assert machines.wait(execution)["stateMachineVersionArn"] == version
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = machines.client.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
    assert machines.wait(machines.start(alias))["stateMachineVersionArn"] == version
    machines.client.update_state_machine(stateMachineArn=arn, definition=good.replace("{}", "{ }"), roleArn=role)
    then = machines.client.describe_state_machine_for_execution(executionArn=execution)
    assert json.loads(then["definition"]) == json.loads(good)

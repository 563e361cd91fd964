"""moto alone, without the embedded AWS: a test that fails says that moto has closed a gap, and that ours can go."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

ROLE = "arn:aws:iam::123456789012:role/no-such-role"


@pytest.fixture
def states() -> Iterator[Any]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield boto3.client("stepfunctions", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


def make(states: Any, definition: dict[str, Any], **given: Any) -> str:
    text = json.dumps({"StartAt": next(iter(definition)), "States": definition})
    return str(states.create_state_machine(name="m", definition=text, roleArn=ROLE, **given)["stateMachineArn"])


def end(states: Any, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING" or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_definitions_and_roles_are_not_checked(states: Any) -> None:
    make(states, {"A": {"Type": "Pass", "Next": "NotThere"}, "B": {"Type": "Succeed"}}, type="EXPRESS")


def test_validation_is_not_there(states: Any) -> None:
    with pytest.raises(NotImplementedError):
        states.validate_state_machine_definition(definition="{}")


def test_redrive_is_not_there(states: Any) -> None:
    with pytest.raises(NotImplementedError):
        states.redrive_execution(executionArn="arn:aws:states:us-east-1:123456789012:execution:m:n")


def test_an_execution_without_a_name_is_called_none(states: Any) -> None:
    machine = make(states, {"A": {"Type": "Succeed"}})
    assert states.start_execution(stateMachineArn=machine)["executionArn"].endswith(":None")


def test_a_history_has_no_pages(states: Any) -> None:
    machine = make(states, {"A": {"Type": "Succeed"}})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    end(states, execution)
    assert len(states.get_execution_history(executionArn=execution, maxResults=1)["events"]) > 1


def test_error_and_cause_of_a_stop_are_forgotten(states: Any) -> None:
    machine = make(states, {"A": {"Type": "Wait", "Seconds": 1, "End": True}})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    time.sleep(0.2)
    states.stop_execution(executionArn=execution, error="E", cause="c")
    assert "error" not in end(states, execution)


def test_parameters_are_not_turned_into_the_apis(states: Any) -> None:
    boto3.client("ecs", "us-east-1").create_cluster(clusterName="c")
    run = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ecs:describeClusters",
        "Parameters": {"Clusters": ["c"]},
        "End": True,
    }
    machine = make(states, {"A": run})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    found = end(states, execution)
    assert found["status"] == "FAILED" or '"clusters"' in found["output"]  # AWS says Clusters


def test_states_all_catches_what_it_must_not(states: Any) -> None:
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl.$": "$.missing"},
        "Next": "S",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "S"}],
    }
    machine = make(states, {"A": call, "S": {"Type": "Succeed"}})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    assert end(states, execution)["status"] == "SUCCEEDED"


def test_a_choice_that_matches_nothing_is_an_internal_error(states: Any) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "S"}]}
    machine = make(states, {"C": choice, "S": {"Type": "Succeed"}})
    execution = states.start_execution(stateMachineArn=machine, name="n", input='{"n": 2}')["executionArn"]
    assert end(states, execution)["error"] == "States.Runtime"


def test_moments_are_not_text(states: Any) -> None:
    machine = make(states, {"A": {"Type": "Pass", "Parameters": {"t.$": "$$.Execution.StartTime"}, "End": True}})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    with pytest.raises(TypeError, match="not JSON serializable"):
        end(states, execution)


def test_no_stop_date_after_a_time_limit(states: Any) -> None:
    text = json.dumps(
        {"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 3, "End": True}}}
    )
    machine = states.create_state_machine(name="m", definition=text, roleArn=ROLE)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    found = end(states, execution)
    assert found["status"] == "TIMED_OUT" and "stopDate" not in found


def test_the_role_and_its_permissions_are_nobodys_business(states: Any) -> None:
    queue = boto3.client("sqs", "us-east-1").create_queue(QueueName="q")["QueueUrl"]
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue, "MessageBody": "x"},
        "End": True,
    }
    machine = make(states, {"A": send})
    execution = states.start_execution(stateMachineArn=machine, name="n")["executionArn"]
    assert end(states, execution)["status"] == "SUCCEEDED"


def test_logging_writes_nothing(states: Any) -> None:
    logs = boto3.client("logs", "us-east-1")
    logs.create_log_group(logGroupName="g")
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:g:*"
    logging = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}
    machine = make(states, {"A": {"Type": "Succeed"}}, loggingConfiguration=logging)
    end(states, states.start_execution(stateMachineArn=machine, name="n")["executionArn"])
    assert logs.filter_log_events(logGroupName="g")["events"] == []


def test_the_context_objects_times_are_not_compared(states: Any) -> None:
    choice = {"Variable": "$$.State.EnteredTime", "TimestampLessThan": "2999-01-01T00:00:00Z", "Next": "Before"}
    definition = {
        "A": {"Type": "Choice", "Choices": [choice], "Default": "Not"},
        "Before": {"Type": "Succeed"},
        "Not": {"Type": "Fail", "Error": "NotBefore"},
    }
    found = end(states, states.start_execution(stateMachineArn=make(states, definition), name="n")["executionArn"])
    assert found["error"] == "NotBefore"

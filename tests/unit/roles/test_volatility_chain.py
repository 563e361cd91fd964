"""The chain's definition, rendered as the role renders it: a valid machine that uses nothing that is not there."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from local_aws.services.stepfunctions.definitions import faults

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/volatility_pipeline"
SERVICE = ROOT / "volatility/src/chronos_volatility/service"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
STEPS = ("ingest", "features", "gate", "infer", "check")
# Those of Step Functions and Lambda itself.
OF_AWS = {"Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Sandbox.Timedout",
          "Lambda.TooManyRequestsException", "Lambda.Unknown", "Runtime.ExitError", "States.ALL"}  # fmt: skip


@pytest.fixture(scope="module")
def machine() -> dict[str, Any]:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined,
                                     trim_blocks=True)  # fmt: skip
    environment.filters["to_json"] = json.dumps
    text = environment.get_template("daily.json.j2").render(
        volatility_function_arns={step: f"{FUNCTION}volatility-x-{step}" for step in STEPS},
        volatility_cluster_arn="arn:aws:ecs:us-east-1:123456789012:cluster/volatility-x",
        __volatility_pipeline_task_definition="arn:aws:ecs:us-east-1:123456789012:task-definition/volatility-x-train:3",
        volatility_pipeline_subnet_ids=["subnet-1"],
        volatility_pipeline_security_group_id="sg-1",
        volatility_pipeline_source_wait_seconds=900,
    )
    return dict(json.loads(text))


def tasks(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in machine["States"].items() if state["Type"] == "Task"}


def test_it_is_a_valid_machine(machine: dict[str, Any]) -> None:
    assert [str(fault) for fault in faults(json.dumps(machine))] == []


def test_every_function_is_one_of_the_program(machine: dict[str, Any]) -> None:
    called = {state["Parameters"]["FunctionName"] for state in tasks(machine).values() if "lambda" in state["Resource"]}
    assert called == {f"{FUNCTION}volatility-x-{step}" for step in STEPS}
    handlers = {
        node.name
        for node in ast.parse((SERVICE / "lambdas.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(one) == "_step" for one in node.decorator_list)
    }
    made = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__volatility_pipeline_steps"]
    assert handlers == set(STEPS) == set(made)


def test_every_error_that_it_acts_on_exists(machine: dict[str, Any]) -> None:
    named = {
        error
        for state in tasks(machine).values()
        for rule in (*state.get("Retry", ()), *state.get("Catch", ()))
        for error in rule["ErrorEquals"]
    }
    sources = [
        *SERVICE.glob("*.py"),
        SERVICE.parent / "ingest/rules.py",
        ROOT / "training/src/chronos_training/core/errors.py",
    ]
    classes = {
        node.name for path in sources for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)
    }
    assert named - OF_AWS <= classes
    assert {"SourceLate", "SourceDown"} <= named


def test_spot_first_and_then_once_on_demand(machine: dict[str, Any]) -> None:
    train, again = machine["States"]["Train"], machine["States"]["TrainOnDemand"]
    assert "CapacityProviderStrategy" not in train["Parameters"] and "LaunchType" not in train["Parameters"]
    assert train["Catch"][0]["Next"] == "TrainOnDemand"
    assert again["Parameters"]["LaunchType"] == "FARGATE"
    assert again["Catch"][0]["Next"] == "Infer"


def test_no_wait_ends_after_the_deadline(machine: dict[str, Any]) -> None:
    states = machine["States"]
    whole, last = states["IsThereTime"]["Choices"]
    assert whole["TimestampLessThanPath"] == "$.day.said.last_wait"
    assert (
        states["WhichSession"]["Parameters"]["Payload"]["wait_seconds"] == states["WaitForTheSource"]["Seconds"] == 900
    )
    assert last["TimestampLessThanPath"] == states["WaitForTheDeadline"]["TimestampPath"] == "$.day.said.deadline"


def test_what_the_plan_says_is_what_the_chain_asks_for(machine: dict[str, Any]) -> None:
    asked = set(re.findall(r"\$\.day\.said\.(\w+)", json.dumps(machine)))
    program = (SERVICE / "lambdas.py").read_text() + (SERVICE / "session.py").read_text()
    assert asked == {name for name in asked if f'"{name}"' in program}
    assert {"date", "time", "reason", "train", "session", "due", "deadline", "last_wait", "forecast_first"} == asked


def test_every_step_is_tried_again_when_its_process_dies(machine: dict[str, Any]) -> None:
    for name, state in tasks(machine).items():
        if "lambda" in state["Resource"]:
            retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
            assert {"Sandbox.Timedout", "Runtime.ExitError", "Lambda.Unknown"} <= retried, name


def test_no_execution_ends_with_an_error_of_step_functions_own_name(machine: dict[str, Any]) -> None:
    """Step Functions refuses it, and its cause is lost. What is caught by States.ALL may have one."""
    ends = {name: state for name, state in machine["States"].items() if state["Type"] == "Fail"}
    assert {name for name, state in ends.items() if "ErrorPath" in state} == {"NoPrices", "NoForecast"}
    first, second = machine["States"]["WhyIsThereNoForecast"]["Choices"]
    assert ends[first["Next"]]["Error"] == ends[second["Next"]]["Error"] == "StepFailed"
    assert second["StringMatches"] == "States.*"

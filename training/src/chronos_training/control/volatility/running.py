"""Run the chain, or one of its functions, and wait for what comes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from chronos_training.core import aws, commands
from chronos_training.core.clock import iso
from chronos_training.core.errors import ConfigurationError, TrainingError

DAY = "day"
"""The whole chain."""
WEEK = 5
_MISSING = ("StateMachineDoesNotExist", "ResourceNotFoundException")


def days(first: str, last: str) -> list[str]:
    """Return the days from `first` to `last` that are not on a weekend; which of them are sessions the chain decides."""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ConfigurationError(f"{first} to {last}: a day is written as 2018-12-07.") from error
    if end < begin:
        raise ConfigurationError(f"The last day {last} is before the first one, {first}.")
    every = (begin + timedelta(days=count) for count in range((end - begin).days + 1))
    return [str(one) for one in every if one.weekday() < WEEK]


def require(env: str, region: str, step: str, target: str) -> None:
    """Raise ConfigurationError unless the chain, or the function of the step, is deployed."""
    try:
        if step == DAY:
            with aws.explained("look for the chain"):
                aws.client("stepfunctions", region=region).describe_state_machine(stateMachineArn=target)
        else:
            with aws.explained(f"look for the function {target}"):
                aws.client("lambda", region=region).get_function_configuration(FunctionName=target)
    except TrainingError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _MISSING:
            raise ConfigurationError(
                f"Environment {env} has no daily chain.",
                hint=f"Deploy it first: {commands.playbook(env, 'deploy_volatility')}",
            ) from error
        raise


def call(lambdas: Any, function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Call a function and return its answer. TrainingError with its own sentence when it fails."""
    with aws.explained(f"call the function {function}"):
        answer = lambdas.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        said = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        raise TrainingError(f"{function}: {said.get('errorType', 'Error')}: {said.get('errorMessage', said)}")
    return said  # type: ignore[no-any-return]


def run_day(
    sfn: Any, chain: str, event: dict[str, Any], *, poll_seconds: float, emit: Callable[[str], None]
) -> dict[str, Any]:
    """Run the chain for one event and wait for its end. Returns its output. TrainingError when it fails."""
    with aws.explained("start the chain"):
        execution = sfn.start_execution(stateMachineArn=chain, input=json.dumps(event))["executionArn"]
    while True:
        with aws.explained(f"follow {execution}"):
            found = sfn.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            break
        time.sleep(poll_seconds)
    named = event.get("date") or event["time"]
    emit(f"{named}: {found['status']}")
    if found["status"] != "SUCCEEDED":
        raise TrainingError(
            f"The chain of {named} {found['status'].lower()}: {found.get('error', '')}: {found.get('cause', '')}".rstrip(
                ": "
            ),
            hint=f"Its history: aws stepfunctions get-execution-history --execution-arn {execution}",
        )
    output: dict[str, Any] = json.loads(found["output"])
    return output


def event(now: datetime, *, day: str = "", reason: str = "", train: bool = False) -> dict[str, Any]:
    """Return what the chain and its functions are called with."""
    found: dict[str, Any] = {"time": iso(now)}
    if day:
        found["date"] = day
    if reason:
        found["reason"] = reason
    return found | ({"train": True} if train else {})


def client(region: str) -> Any:
    """Return a client of Lambda that waits as long as a function may take, and calls it once."""
    return aws.client("lambda", region=region, config=Config(read_timeout=920, retries={"max_attempts": 0}))

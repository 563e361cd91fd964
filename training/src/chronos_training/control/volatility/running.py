"""Run the chain, or one of its functions, and wait for what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from chronos_training.control.volatility.execution import Execution, in_words, log_of
from chronos_training.core import aws, commands
from chronos_training.core.clock import iso
from chronos_training.core.errors import ConfigurationError, TrainingError

DAY = "day"
"""The whole chain."""
WEEK = 5
_IN_A_SENTENCE = ("ContractBroken", "ConfigurationError", "TrainingError")
"""Exceptions whose message says it all."""
_MISSING = ("StateMachineDoesNotExist", "ResourceNotFoundException")


class NoSession(ConfigurationError):
    """The day is no session, or its prices are not due yet. Nothing was done."""


@dataclass(frozen=True)
class Target:
    """What is run, and where what it says is found."""

    env: str
    region: str
    step: str
    """DAY, or a function's."""
    name: str
    """The ARN of the chain, or the function's name."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """The log groups, by step."""


def days(first: str, last: str) -> list[str]:
    """Return the days from `first` to `last`; of a range, those that are not on a weekend. ConfigurationError.

    Which of them are sessions the chain decides: it has the exchange's calendar.
    """
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ConfigurationError(f"{first or 'nothing'} to {last}: a day is written as 2018-12-07.") from error
    if end < begin:
        raise ConfigurationError(f"The last day {last} is before the first one, {first}.")
    every = [begin + timedelta(days=count) for count in range((end - begin).days + 1)]
    return [str(one) for one in every if one.weekday() < WEEK or len(every) == 1]


def require(target: Target) -> None:
    """Raise ConfigurationError unless the chain, or the function of the step, is deployed."""
    try:
        if target.step == DAY:
            with aws.explained("look for the chain"):
                aws.client("stepfunctions", region=target.region).describe_state_machine(stateMachineArn=target.name)
        else:
            with aws.explained(f"look for the function {target.name}"):
                aws.client("lambda", region=target.region).get_function_configuration(FunctionName=target.name)
    except TrainingError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _MISSING:
            raise ConfigurationError(
                f"Environment {target.env} has no daily chain.",
                hint=f"Deploy it first: {commands.playbook(target.env, 'deploy_volatility')}",
            ) from error
        raise


def run_days(
    target: Target,
    events: Mapping[str, dict[str, Any]],
    again: Callable[[str], str],
    *,
    poll_seconds: float,
    emit: Callable[[str], None],
) -> dict[str, Any]:
    """Run the chain or the step for each event (by day, in their order), and return what it answered, by day.

    Days of a range that are no sessions are told and left out. TrainingError when one fails: those after it are not tried,
    because they build on it; `again(day)` is the command that resumes there, if there is one.
    """
    answers: dict[str, Any] = {}
    skipped = []
    for day, event in events.items():
        try:
            if target.step == DAY:
                answers[day] = run_day(target, event, poll_seconds=poll_seconds, emit=emit)
            else:
                answers[day] = call(client(target.region), target.name, event)
        except NoSession as error:
            if len(events) == 1:
                raise
            emit(f"{error} It is left out.")
            skipped.append(day)
        except TrainingError as error:
            done = f" Done before it: {', '.join(answers)}." if answers else ""
            command = again(day)
            next_ = "\n".join(filter(None, (error.hint, f"Once that is mended: {command}" if command else "")))
            failure = TrainingError(f"{error.message}{done}", hint=next_, code=error.code)
            failure.facts = {**error.facts, "answers": answers}
            raise failure from error
    if not answers:
        raise NoSession(f"None of these days is a session: {', '.join(skipped)}. Nothing was done.")
    return answers


def call(lambdas: Any, function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Call a function and return its answer. TrainingError with its own sentence when it fails, or finds a problem."""
    with aws.explained(f"call the function {function}"):
        answer = lambdas.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        said = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        kind, words = said.get("errorType", "Error"), said.get("errorMessage", said)
        if kind == NoSession.__name__:
            raise NoSession(str(words))
        raise TrainingError(f"{function} failed: {words if kind in _IN_A_SENTENCE else f'{kind}: {words}'}")
    if isinstance(said, dict) and said.get("sound") is False:
        failure = TrainingError(f"{function} found what is wrong: {' '.join(said['problems'])}")
        failure.facts = {"found": said}
        raise failure
    return said  # type: ignore[no-any-return]


def run_day(
    target: Target, event: dict[str, Any], *, poll_seconds: float, emit: Callable[[str], None]
) -> dict[str, Any]:
    """Run the chain for one event and wait for its end. Returns what it did, in words. TrainingError when it fails."""
    sfn = aws.client("stepfunctions", region=target.region)
    with aws.explained("start the chain"):
        arn = sfn.start_execution(stateMachineArn=target.name, input=json.dumps(event))["executionArn"]
    named = event.get("date") or "The last session"
    of_it = f"--region {target.region} --execution-arn {arn}"
    # Said first: this command may be interrupted at any time, and the execution goes on without it.
    emit(
        f"{named}: started; it runs without this command, too. To look at it: aws stepfunctions describe-execution {of_it}"
    )
    execution = Execution(sfn, arn)
    found = execution.follow(lambda words: emit(f"{named}: {words}"), poll_seconds=poll_seconds)
    if found["status"] != "SUCCEEDED":
        error, cause = found.get("error", ""), found.get("cause", "")
        if error == _STEP_FAILED:
            error, _, cause = cause.partition(": ")
        state = execution.failed_at(error)
        words = ": ".join(part for part in (error, in_words(cause)) if part)
        log = target.logs.get(log_of(state), "")
        tail = f"Its log: aws logs tail --region {target.region} {log} --since 1h\n" if log else ""
        raise TrainingError(
            f"{named}: the chain {_ENDED.get(found['status'], found['status'])} at {state}: {words}",
            hint=f"{tail}Its history: aws stepfunctions get-execution-history {of_it}",
        )
    return _done(json.loads(found["output"]), arn)


_STEP_FAILED = "StepFailed"
"""The chain's own name for a step's failure, which it tells in the cause (roles/volatility_pipeline/templates/daily.json.j2)."""
_ENDED = {"FAILED": "failed", "TIMED_OUT": "ran out of time", "ABORTED": "was stopped by somebody"}


def _done(output: dict[str, Any], arn: str) -> dict[str, Any]:
    """Return what an execution did, from its output. NoSession when there was nothing to do."""
    day = output["day"]["said"]
    if not day["session"]:
        raise NoSession(day["why"])
    found: dict[str, Any] = {"session": day["date"], "execution": arn, "said": output["infer"]["said"]["said"]}
    if "gate" in output:
        found["gate"] = output["gate"]["said"]
    return found


def told(answers: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the answers of steps and days as sentences."""
    lines = []
    for answer in answers.values():
        lines += answer.get("said", [])
        lines += _of_the_gate(answer if "action" in answer else answer.get("gate", {}))
        if "sound" in answer:
            lines.append("Nothing is wrong.")
    return lines


def _of_the_gate(answer: Mapping[str, Any]) -> list[str]:
    if "action" not in answer:
        return []
    lines = [f"gate: {answer['action']}: {answer['reason']}. {answer['serves'] or 'No model'} serves."]
    if answer["canary_failed"]:
        lines.append(f"canary: {answer['chosen']} failed it.")
    return [*answer["refused"], *lines]


def event(
    now: datetime, *, day: str = "", reason: str = "", train: bool = False, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the chain and its functions are called with. Without a day: the last session, also if its forecast is overdue."""
    found: dict[str, Any] = {"time": iso(now)} | ({"date": day} if day else {"overdue": True})
    if reason:
        found["reason"] = reason
    return found | ({"train": True} if train else {}) | dict(more or {})


def client(region: str) -> Any:
    """Return a client of Lambda that waits as long as a function may take, and calls it once."""
    return aws.client("lambda", region=region, config=Config(read_timeout=920, retries={"max_attempts": 0}))

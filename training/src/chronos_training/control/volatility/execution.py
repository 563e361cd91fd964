"""An execution of the daily chain: followed to its end, and its end in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from chronos_training.core import aws

STEPS = {
    "Ingest": "ingest",
    "WaitForTheSource": "the prices are late; they are asked for again every quarter of an hour",
    "WaitForTheDeadline": "the prices are late; they are asked for a last time",
    "Features": "features and labels",
    "ForecastFirst": "forecast, before a training that may end too late",
    "Train": "training, on Fargate Spot",
    "TrainOnDemand": "training once more, on Fargate at the full price",
    "Gate": "gate",
    "Infer": "forecast",
    "Check": "check",
}
"""What is told of the states that take their time."""
LOGS = {"WhichSession": "ingest", "IsATrainingDue": "gate", "ForecastFirst": "infer", "TrainOnDemand": "train"}
"""Of states that are not called as their step, whose log tells more."""


class Execution:
    """One execution, and what its history has told so far."""

    def __init__(self, sfn: Any, arn: str) -> None:
        self._sfn, self.arn = sfn, arn
        self._seen = 0
        self._state = ""
        self._failed: list[tuple[str, str]] = []

    def follow(self, tell: Callable[[str], None], *, poll_seconds: float) -> dict[str, Any]:
        """Wait for its end and return what DescribeExecution says of it. `tell` gets each step as it begins."""
        while True:
            with aws.explained(f"follow {self.arn}"):
                found: dict[str, Any] = self._sfn.describe_execution(executionArn=self.arn)
            # After the status: what it has gone through by its end is told before the end.
            self._read_on(tell)
            if found["status"] != "RUNNING":
                return found
            time.sleep(poll_seconds)

    def failed_at(self, error: str) -> str:
        """Return the state that failed with `error`, of several the first; the last one where none is known."""
        return next((state for state, name in self._failed if name == error), self._state)

    def _read_on(self, tell: Callable[[str], None]) -> None:
        with aws.explained(f"read the history of {self.arn}"):
            pages = self._sfn.get_paginator("get_execution_history").paginate(executionArn=self.arn)
            events = [one for page in pages for one in page["events"]]
        for one in events[self._seen :]:
            if "stateEnteredEventDetails" in one:
                name = one["stateEnteredEventDetails"]["name"]
                if name in STEPS and name != self._state:
                    tell(STEPS[name])
                if one["type"] == "TaskStateEntered":
                    self._state = name
            for kind in ("taskFailedEventDetails", "taskTimedOutEventDetails", "lambdaFunctionFailedEventDetails"):
                if kind in one:
                    self._failed.append((self._state, one[kind].get("error", "")))
        self._seen = len(events)


def log_of(state: str) -> str:
    """Return the name of the step whose log tells more of a state."""
    return LOGS.get(state, state.lower())


def in_words(cause: str) -> str:
    """Return the sentence in the cause of a failure: Lambda's is the exception as JSON, that of a task is the task."""
    try:
        found = json.loads(cause)
    except ValueError:
        return cause
    if isinstance(found, list):
        return " ".join(map(str, found))
    if not isinstance(found, Mapping):
        return cause
    if "errorMessage" in found:
        return str(found["errorMessage"])
    if "Containers" in found:
        codes = [str(one["ExitCode"]) for one in found["Containers"] if one.get("ExitCode") is not None]
        ended = f" It ended with exit code {', '.join(codes)}." if codes else ""
        return f"{found.get('StoppedReason', 'The task stopped')}.{ended}"
    return cause

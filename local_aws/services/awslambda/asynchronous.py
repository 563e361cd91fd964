"""The queue of asynchronous invocations: two more tries, an age, and where an event goes in the end.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

The events are in moto's backend as plain values, so that they outlive the daemon with everything else.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from moto.awslambda.models import LambdaBackend, lambda_backends

from local_aws.iam.principals import ACCOUNT
from local_aws.services.awslambda import invoke_config
from local_aws.services.awslambda.destinations import Destinations
from local_aws.services.awslambda.environment import Result
from local_aws.services.awslambda.functions import FunctionName, backend, function_name
from local_aws.services.awslambda.invocations import Invocations, InvokeError

log = logging.getLogger("local_aws.lambda")

RETRY_SECONDS = (60.0, 120.0)
# Throttles and errors of Lambda itself are tried again for as long as the event may wait, from 1 s to 5 min apart.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0

Event = dict[str, Any]


class Queue:
    """Accepts events, and tries them on AWS's clock."""

    def __init__(self, invocations: Invocations) -> None:
        self._invocations = invocations
        self._aws = invocations.aws
        self._destinations = Destinations(invocations.aws, invocations.metrics)

    def add(self, named: FunctionName, payload: bytes, request_id: str) -> None:
        """Accept an event."""
        now = self._aws.clock.now()
        event = {
            "id": request_id,
            "arn": named.arn,
            "payload": payload,
            "at": now,
            "due": now,
            "attempts": 0,
            "pauses": 0,
        }
        with self._aws.lock:
            _events(backend(named.region))[request_id] = event
        self._schedule(event, now)

    def resume(self) -> None:
        """After a crash of the daemon: what had not ended is tried again."""
        for regions in list(lambda_backends.get(ACCOUNT, {}).values()):
            for event in list(_events(regions).values()):
                self._schedule(event, event["due"])

    def _schedule(self, event: Event, when: float) -> None:
        event["due"] = when
        self._aws.clock.call_at(when, f"asynchronous invocation of {event['arn']}", partial(self._attempt, event))

    def _attempt(self, event: Event) -> None:
        named = function_name(event["arn"], "")
        with self._aws.lock:
            if event["id"] not in _events(backend(named.region)):
                return  # the account was emptied
            config = invoke_config.find(named)
        if self._aws.clock.now() - event["at"] > config.oldest:
            self._fail(event, named, config, "EventAgeExceeded", None)
            return
        try:
            result = self._invocations.run(named, event["payload"], event["id"])
        except InvokeError as error:
            self._not_run(event, named, config, error)
            return
        event["attempts"] += 1
        if not result.error:
            self._end(event, named)
            self._destinations.succeeded(event, named, config, result)
        elif event["attempts"] <= config.retries:
            self._schedule(event, self._aws.clock.now() + RETRY_SECONDS[event["attempts"] - 1])
        else:
            self._fail(event, named, config, "RetriesExhausted", result)

    def _not_run(self, event: Event, named: FunctionName, config: invoke_config.Config, error: InvokeError) -> None:
        if error.code == "ResourceNotFoundException":
            log.warning("an event for %s is dropped: %s", named.arn, error)
            self._end(event, named)
            return
        if error.code == "TooManyRequestsException" and self._invocations.find(named).reserved == 0:
            self._fail(event, named, config, "ZeroReservedConcurrency", None)
            return
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** event["pauses"])
        event["pauses"] = min(event["pauses"] + 1, 20)
        self._schedule(event, self._aws.clock.now() + pause)

    def _fail(
        self, event: Event, named: FunctionName, config: invoke_config.Config, condition: str, result: Result | None
    ) -> None:
        self._end(event, named)
        self._invocations.metrics.counted(named, "AsyncEventsDropped")
        self._destinations.failed(event, named, config, condition, result)

    def _end(self, event: Event, named: FunctionName) -> None:
        with self._aws.lock:
            _events(backend(named.region)).pop(event["id"], None)


def _events(stored: LambdaBackend) -> dict[str, Event]:
    if not hasattr(stored, "local_aws_events"):
        stored.local_aws_events = {}
    return stored.local_aws_events  # type: ignore[no-any-return]

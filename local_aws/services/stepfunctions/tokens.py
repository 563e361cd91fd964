"""Task tokens and their heartbeats: .waitForTaskToken.

moto 5.2.5 has one token for all retries of a state, waits for heartbeats by the computer's clock, and calls their lack
States.Timeout.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.callback import callback

from local_aws.clock import CLOCK
from local_aws.services.patching import replace
from local_aws.services.stepfunctions.failures import FailureEvent, failure
from local_aws.services.stepfunctions.run import Run, wait_until


def install() -> None:
    """Let moto do this."""
    replace(StateTask, _from_error=_from_task_error(StateTask._from_error))
    replace(callback.CallbackEndpoint, notify=_notify, notify_heartbeat=_notify_heartbeat)


def new_token(env: Any) -> str:
    """Return the attempt's task token: after a crash the one that was given away."""
    run: Run = env.local_aws_run
    place = env.local_aws_place.next()
    token = run.journal.get(place) or str(uuid.uuid4())
    run.note(place, token)
    return str(token)


def wait_for_token(self: Any, env: Any) -> Any:
    """Return what SendTaskSuccess brings. Raises what moto makes failures of."""
    token = env.states.context_object.context_object_data["Task"]["Token"]
    endpoint = env.callback_pool_manager.get(token)
    heartbeat = None
    if self.heartbeat:
        self.heartbeat.eval(env=env)
        heartbeat = env.stack.pop()
    try:
        return _outcome_of(endpoint, self, env, heartbeat)
    finally:
        endpoint.local_aws_over = True  # nobody waits for it any more


def _outcome_of(endpoint: Any, self: Any, env: Any, heartbeat: int | None) -> Any:
    while True:
        endpoint.local_aws_beat = False
        in_time = wait_until(
            env,
            lambda: endpoint.get_outcome() is not None or endpoint.local_aws_beat,
            what=f"a heartbeat of {self.name}" if heartbeat else f"the token of {self.name}",
            deadline=None if heartbeat is None else CLOCK.now() + heartbeat,
            register=lambda waiter: setattr(endpoint, "local_aws_waiter", waiter),
        )
        if not in_time:
            endpoint.report(callback.CallbackConsumerTimeout())
            raise callback.HeartbeatTimeoutError()
        outcome = endpoint.get_outcome()
        if isinstance(outcome, callback.CallbackOutcomeFailure):
            raise callback.CallbackOutcomeFailureError(callback_outcome_failure=outcome)
        if isinstance(outcome, callback.CallbackOutcomeSuccess):
            return json.loads(outcome.output)


def _notify(self: Any, outcome: Any) -> None:
    self._outcome = outcome
    _wake(self)


def _notify_heartbeat(self: Any) -> bool:
    self.local_aws_beat = True
    _wake(self)
    return True


def _wake(endpoint: Any) -> None:
    waiter = endpoint.__dict__.get("local_aws_waiter")
    if waiter is not None:
        waiter.wake()


def _from_task_error(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
    def from_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
        if isinstance(ex, callback.HeartbeatTimeoutError):
            event = self._get_timed_out_failure_event(env)
            name = "States.HeartbeatTimeout"
            details = {key: {**value, "error": name} for key, value in event.event_details.items()}
            return failure(env, name, event.event_type, details)
        return original(self, env=env, ex=ex)

    return from_error

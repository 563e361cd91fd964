"""Functions of Lambda: lambda:invoke, and a function's ARN as the resource.

moto 5.2.5 calls every refusal of Lambda by other names than AWS where the ARN is the resource, and an error without a
type "Exception".
https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from local_aws.services.patching import replace
from local_aws.services.stepfunctions.failures import FailureEvent, failure
from local_aws.services.stepfunctions.task_states import cause_of, exception_name, once, task_failed


def install() -> None:
    """Let moto do this."""
    execute = lambda_eval_utils.execute_lambda_function_integration
    eval_direct = StateTaskLambda._eval_execution

    def eval_direct_once(self: Any, env: Any) -> None:
        env.local_aws_direct = self
        eval_direct(self, env)

    def execute_once(env: Any, **given: Any) -> None:
        # A function's ARN is the resource; lambda:invoke is done once already.
        direct = env.__dict__.get("local_aws_direct")
        if direct is None:
            execute(env=env, **given)
        else:
            once(direct, env, lambda: execute(env=env, **given))

    def from_error(original: Callable[..., FailureEvent]) -> Callable[..., FailureEvent]:
        def from_lambda_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
            if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
                error, cause = _function_error(ex.payload)
            elif isinstance(ex, ClientError):
                error, cause = f"Lambda.{exception_name(ex)}", cause_of(ex, "AWSLambda")
            elif isinstance(ex, BotoCoreError):
                error, cause = "Lambda.SdkClientException", str(ex)
            else:
                return original(self, env=env, ex=ex)
            if isinstance(self, StateTaskLambda):
                details = {"lambdaFunctionFailedEventDetails": {"error": error, "cause": cause}}
                return failure(env, error, HistoryEventType.LambdaFunctionFailed, details)
            return task_failed(self, env, error, cause).failure_event

        return from_lambda_error

    replace(lambda_eval_utils, execute_lambda_function_integration=execute_once)
    replace(StateTaskLambda, _eval_execution=eval_direct_once, _from_error=from_error(StateTaskLambda._from_error))
    replace(StateTaskServiceLambda, _from_error=from_error(StateTaskServiceLambda._from_error))


def _function_error(payload: str) -> tuple[str, str]:
    """Return error and cause: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(payload)["errorType"]), payload
    return (
        "Lambda.Unknown",
        "The cause could not be determined because Lambda did not return an error type. Returned payload: " + payload,
    )

"""Calls of AWS by Task states: under the role of their machine.

moto 5.2.5 calls AWS with keys that nobody has.
https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

import sys
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask

from local_aws.services.aws import Aws
from local_aws.services.patching import replace
from local_aws.services.role_clients import client_in_role
from local_aws.services.stepfunctions import api_names, functions, jobs, task_states, tokens

PRINCIPAL = "states.amazonaws.com"


def install(aws: Aws) -> None:
    """Let moto's Task states do all that this package says of them."""
    _install_clients(aws)
    for part in (api_names, task_states, tokens, jobs, functions):
        part.install()


def _install_clients(aws: Aws) -> None:
    """Make clients in the state's role, which is its machine's unless it has another: for moto's boto_client_for."""

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        machine = state_credentials.local_aws_machine
        name = machine.rpartition(":")[2][:64]
        return client_in_role(
            aws,
            service,
            state_credentials.role_arn,
            principal=PRINCIPAL,
            session_name=name,
            source_arn=machine,
            region=region,
        )

    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.") and hasattr(module, "boto_client_for"):
            replace(module, boto_client_for=client_for)
    eval_credentials = StateTask._eval_state_credentials

    def eval_state_credentials(self: Any, env: Any) -> Any:
        found = eval_credentials(self, env)
        found.local_aws_machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
        return found

    replace(StateTask, _eval_state_credentials=eval_state_credentials)

"""State machines: what CreateStateMachine and UpdateStateMachine check beside the definition.

moto 5.2.5 takes a role that does not trust Step Functions or lacks what a job needs, an EXPRESS machine, and gives back
the machine of that name whatever else was asked for.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local_aws.home import REGION
from local_aws.iam.decisions import decide_and_note
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT, find_role, role_session, service_may_assume
from local_aws.services.aws import Aws
from local_aws.services.patching import replace
from local_aws.services.stepfunctions.integrations import PRINCIPAL


class AccessDenied(AWSError):
    TYPE = "AccessDeniedException"


class StateMachineAlreadyExists(AWSError):
    TYPE = "StateMachineAlreadyExists"


class StateMachineTypeNotSupported(AWSError):
    TYPE = "StateMachineTypeNotSupported"


def install(aws: Aws) -> None:
    """Let moto check this."""
    create = StepFunctionsParserBackend.create_state_machine
    update = StepFunctionsParserBackend.update_state_machine

    def create_state_machine(
        self: Any,
        name: str,
        definition: str,
        roleArn: str,  # noqa: N803 (moto's)
        **given: Any,
    ) -> StateMachine:
        if given.get("sm_type") == "EXPRESS":
            raise StateMachineTypeNotSupported("The embedded AWS does not know EXPRESS state machines.")
        existing = next((one for one in self.state_machines if one.name == name), None)
        if existing is not None:
            same = (existing.definition, existing.roleArn) == (definition, roleArn)
            if (
                not same
                or (given.get("loggingConfiguration") or existing.loggingConfiguration) != existing.loggingConfiguration
            ):
                raise StateMachineAlreadyExists(f"State Machine Already Exists: '{existing.arn}'")
        self._validate_definition(definition=definition)
        arn = f"arn:aws:states:{self.region_name}:{self.account_id}:stateMachine:{name}"
        _check_role(self.region_name, roleArn, arn, definition, given.get("loggingConfiguration"))
        return create(self, name=name, definition=definition, roleArn=roleArn, **given)

    def update_state_machine(
        self: Any, arn: str, definition: Any = None, role_arn: Any = None, **given: Any
    ) -> StateMachine:
        machine = self.describe_state_machine(arn)
        if definition is not None:
            self._validate_definition(definition=definition)
        logging = given.get("logging_configuration") or machine.loggingConfiguration
        _check_role(self.region_name, role_arn or machine.roleArn, arn, definition or machine.definition, logging)
        return update(self, arn, definition, role_arn, **given)

    replace(StepFunctionsParserBackend, create_state_machine=create_state_machine)
    replace(StepFunctionsParserBackend, update_state_machine=update_state_machine)


# https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html, …/connect-stepfunctions.html
_MANAGED_RULES = {
    ":states:::ecs:runTask.sync": "StepFunctionsGetEventsForECSTaskRule",
    ":states:::states:startExecution.sync": "StepFunctionsGetEventsForStepFunctionsExecutionRule",
}
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
_FOR_LOGS = (
    "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
    "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
)  # fmt: skip


def _check_role(region: str, role_arn: str, arn: str, definition: str, logging: dict[str, Any] | None) -> None:
    role = find_role(role_arn)
    context = {"aws:sourceaccount": ACCOUNT, "aws:sourcearn": arn}
    if role is None or not service_may_assume(role, PRINCIPAL, context):
        raise AccessDenied(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
            "the provided role."
        )
    caller = role_session(ACCOUNT, role_arn, arn.rpartition(":")[2][:64])

    def may(action: str, resource: str) -> bool:
        needed = {"aws:requestedregion": region or REGION, "aws:securetransport": "true", **caller.context}
        return decide_and_note(Need(action, resource, needed), caller).allowed

    for resource, rule in _MANAGED_RULES.items():
        if resource in definition:
            rule_arn = f"arn:aws:events:{region}:{ACCOUNT}:rule/{rule}"
            if not all(may(f"events:{action}", rule_arn) for action in ("PutTargets", "PutRule", "DescribeRule")):
                raise AccessDenied(f"'{role_arn}' is not authorized to create managed-rule.")
    if (logging or {}).get("level", "OFF") != "OFF" and not all(may(f"logs:{action}", "*") for action in _FOR_LOGS):
        raise AccessDenied("The state machine IAM Role is not authorized to access the Log Destination")

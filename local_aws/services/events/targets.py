"""Where a rule sends its events. A function, a topic, a queue and a log group let EventBridge in by their own policies; everything
else, and whoever names a role, is called in that role.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from local_aws.iam.decisions import decide_and_note
from local_aws.iam.policies import Need
from local_aws.iam.principals import ACCOUNT, find_role, role_session, service_may_assume
from local_aws.iam.service_roles import NotAssumable, service_may
from local_aws.services import as_service
from local_aws.services.as_service import NotDelivered
from local_aws.services.aws import Aws
from local_aws.services.role_clients import client_in_role
from local_aws.services.scheduler.targets import task_request

SERVICE = "events.amazonaws.com"
Target = dict[str, Any]
_KINDS = re.compile(
    r"arn:aws:(?:(lambda):[^:]+:\d{12}:function:.+|(sns):[^:]+:\d{12}:[^:]+|(sqs):[^:]+:\d{12}:[^:]+|"
    r"(states):[^:]+:\d{12}:stateMachine:.+|(ecs):[^:]+:\d{12}:cluster/.+|(events):[^:]+:\d{12}:event-bus/.+|"
    r"(logs):[^:]+:\d{12}:log-group:.+)"
)
_NEED_A_ROLE = ("ecs", "states")
# What is refused for good: another try would find the same.
_FOR_GOOD = {
    "AccessDenied": "NO_PERMISSIONS",
    "AccessDeniedException": "NO_PERMISSIONS",
    "AuthorizationError": "NO_PERMISSIONS",
    "ClusterNotFoundException": "NO_RESOURCE",
    "InvalidExecutionInput": "INVALID_JSON",
    "InvalidParameterException": "INVALID_PARAMETER",
    "NotFound": "NO_RESOURCE",
    "ParamValidationError": "INVALID_PARAMETER",
    "ResourceNotFoundException": "NO_RESOURCE",
    "StateMachineDoesNotExist": "NO_RESOURCE",
    "ValidationException": "INVALID_PARAMETER",
}


def kind_of(arn: str) -> str | None:
    """Return the service that a target belongs to; None for what is no target of the embedded AWS."""
    found = _KINDS.fullmatch(arn)
    return next(filter(None, found.groups())) if found else None


def refusals(target: Target) -> str | None:
    """Return what PutTargets says against a target, None when nothing is."""
    arn = target.get("Arn", "")
    kind = kind_of(arn)
    if not re.match(r"arn:[\w-]+:[\w-]+:", arn):
        return f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
    if kind is None:
        return f"The embedded AWS does not know the target {arn}."
    if kind in _NEED_A_ROLE and not target.get("RoleArn"):
        return f"RoleArn is required for target {arn}."
    if (kind == "ecs") != ("EcsParameters" in target):
        return f"Parameter(s) EcsParameters {'must' if kind == 'ecs' else 'must not'} be specified for target: {target['Id']}."
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(given) > 1:
        return f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
    return None


def send(aws: Aws, target: Target, text: str, rule_arn: str, name: str, event_id: str) -> None:
    """Send `text` to any target but a bus. NotDelivered."""
    kind, arn, role_arn = kind_of(target["Arn"]), target["Arn"], target.get("RoleArn")
    if not role_arn:
        _BY_POLICY[str(kind)](aws, target, text, rule_arn, event_id)
        return
    region = arn.split(":")[3]

    def client_of(api: str) -> Any:
        return client_in_role(
            aws, api, role_arn, principal=SERVICE, session_name=name[:64], source_arn=rule_arn, region=region
        )

    try:
        _IN_ROLE[str(kind)](aws, client_of, target, text)
    except NotAssumable as error:
        raise NotDelivered("FAILED_TO_ASSUME_ROLE", str(error), for_good=True) from None
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        message = error.response["Error"].get("Message", "")
        raise NotDelivered(_FOR_GOOD.get(code, code), message, for_good=code in _FOR_GOOD) from None
    except ValueError as error:  # no JSON where JSON is needed
        raise NotDelivered("INVALID_JSON", str(error), for_good=True) from None


def may_send_to_bus(target: Target, rule_arn: str, name: str, policy: str | None) -> None:
    """Raise NotDelivered unless the rule's role, or the other bus's policy, lets the event through. Hold the lock."""
    role_arn, need = target.get("RoleArn"), Need("events:PutEvents", target["Arn"])
    if not role_arn:
        decision = service_may(SERVICE, need, policy, source_arn=rule_arn)
    else:
        role = find_role(role_arn)
        if role is None or not service_may_assume(
            role, SERVICE, {"aws:sourceaccount": ACCOUNT, "aws:sourcearn": rule_arn}
        ):
            raise NotDelivered("FAILED_TO_ASSUME_ROLE", f"{SERVICE} may not assume {role_arn}.", for_good=True)
        session = role_session(ACCOUNT, role_arn, name[:64])
        decision = decide_and_note(replace(need, context={**session.context, **need.context}), session)
    if not decision.allowed:
        raise NotDelivered("NO_PERMISSIONS", f"events:PutEvents on {target['Arn']} {decision.why}", for_good=True)


def _message(aws: Aws, target: Target, text: str, rule_arn: str, event_id: str) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    as_service.send_message(
        aws,
        target["Arn"],
        text,
        service=SERVICE,
        source_arn=rule_arn,
        group_id=group,
        deduplication_id=event_id if group else None,
    )


def _topic(aws: Aws, target: Target, text: str, rule_arn: str, _: str) -> None:
    as_service.publish(aws, target["Arn"], text, service=SERVICE, source_arn=rule_arn)


def _function(aws: Aws, target: Target, text: str, rule_arn: str, _: str) -> None:
    as_service.invoke(aws, target["Arn"], text.encode(), service=SERVICE, source_arn=rule_arn)


def _log(aws: Aws, target: Target, text: str, rule_arn: str, event_id: str) -> None:
    as_service.put_log_event(aws, target["Arn"], event_id, text, service=SERVICE, source_arn=rule_arn)


_BY_POLICY: dict[str, Callable[[Aws, Target, str, str, str], None]] = {
    "lambda": _function,
    "logs": _log,
    "sns": _topic,
    "sqs": _message,
}

ClientOf = Callable[[str], Any]


def _invoke(_: Aws, client_of: ClientOf, target: Target, text: str) -> None:
    client_of("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())


def _publish(_: Aws, client_of: ClientOf, target: Target, text: str) -> None:
    client_of("sns").publish(TopicArn=target["Arn"], Message=text)


def _send_message(aws: Aws, client_of: ClientOf, target: Target, text: str) -> None:
    account, name = target["Arn"].split(":")[4:6]
    more = target.get("SqsParameters") or {}
    client_of("sqs").send_message(QueueUrl=f"{aws.endpoint}/{account}/{name}", MessageBody=text, **more)


def _start_execution(_: Aws, client_of: ClientOf, target: Target, text: str) -> None:
    client_of("stepfunctions").start_execution(stateMachineArn=target["Arn"], input=text)


def _run_task(_: Aws, client_of: ClientOf, target: Target, text: str) -> None:
    # Without an input of its own a task gets no overrides: an event is none.
    own = any(target.get(name) for name in ("Input", "InputPath", "InputTransformer"))
    client_of("ecs").run_task(**task_request(target["Arn"], target["EcsParameters"], text if own else ""))


_IN_ROLE: dict[str, Callable[[Aws, ClientOf, Target, str], None]] = {
    "ecs": _run_task,
    "lambda": _invoke,
    "sns": _publish,
    "sqs": _send_message,
    "states": _start_execution,
}

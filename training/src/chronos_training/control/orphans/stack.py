"""What is left over of the environment's volatility stack: what costs money while it is there, or starts what does.

A training task belongs to an execution of the stack's chain. Of a stack that is not provisioned any more nothing must be left;
its bucket and key are kept for its data, and are no leftovers.
"""

from __future__ import annotations

from collections.abc import Iterator

from chronos_training.control.provision import parameters
from chronos_training.control.volatility import survey
from chronos_training.control.volatility.settings import parameter_path
from chronos_training.core import aws
from chronos_training.core.inventory import Resource

TASK = "task"
# Those that act. All others of the stack are found by its own teardown.
REST = ("schedule", "function")
KINDS = {kind: f"volatility {kind}" for kind in (TASK, *REST)}


def left_over(env: str, region: str) -> Iterator[Resource]:
    """Return what is left over in a region. TrainingError for what cannot be seen."""
    stack = survey.Stack(env, region, account="")
    # The tasks first: the execution that started one shows if it is looked for afterwards.
    tasks = survey.find(stack, (TASK,))
    if tasks and not _is_at_work(stack, tasks[0].identity):
        yield from (_resource(one, region) for one in tasks)
    if not parameters.read(aws.client("ssm", region=region), parameter_path(env)):
        yield from (_resource(one, region) for one in survey.find(stack, REST))


def _is_at_work(stack: survey.Stack, task_arn: str) -> bool:
    """Return whether an execution of the chain runs. The account is that of its task."""
    machine = f"arn:aws:states:{stack.region}:{task_arn.split(':')[4]}:stateMachine:{stack.prefix}-daily"
    states = stack.client("stepfunctions")
    with aws.explained(f"list the executions of {machine}"):
        try:
            return bool(states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"])
        except states.exceptions.StateMachineDoesNotExist:
            return False


def _resource(found: survey.Found, region: str) -> Resource:
    state, _, detail = found.detail.partition(", ")
    return Resource(KINDS[found.kind], found.identity, state or "exists", "", detail, region=region)

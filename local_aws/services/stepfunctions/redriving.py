"""RedriveExecution: an execution that did not succeed goes on from the state in which it ended.

It begins again, as after a crash, with what the journal has of the states before; nothing of that is written into the history a
second time. Of the state in which it ended the journal keeps what succeeded: branches and items that were done.
moto 5.2.5 does not have it.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.responses import StepFunctionResponse

from local_aws.clock import CLOCK
from local_aws.services.patching import add, replace
from local_aws.services.stepfunctions.run import Run, moment

_DAYS = 14  # after an execution's end
_MARK = "state "


class ExecutionNotRedrivable(AWSError):
    TYPE = "ExecutionNotRedrivable"


def install() -> None:
    """Let moto do this."""
    eval_body = CommonStateField._eval_body

    def eval_marked(self: Any, env: Any) -> None:
        if not env.is_frame():
            run: Run = env.local_aws_run
            run.states += 1
            if f"{_MARK}{run.states}" not in run.journal:
                run.note(f"{_MARK}{run.states}", True)
        eval_body(self, env)

    replace(CommonStateField, _eval_body=eval_marked)
    add(StepFunctionResponse, redrive_execution=_respond_to_redrive)


def prepare(run: Run, env: Any) -> None:
    """Let the history of a redriven execution go on where it ended."""
    run.before = []
    run.silent_until = sum(place.startswith(_MARK) for place in run.journal)
    manager, old = env.event_manager, list(run.execution.local_aws_history)
    manager._history_event_list.extend(old)
    manager._event_id_gen._next_id = len(old) + 1


def is_silent(run: Run, manager: Any, context: Any, event_type: Any, add_event: Any) -> bool:
    """Return whether an event is one that the history has already. The first that it has not follows the redrive's own."""
    if not run.silent_until:
        return False
    last = manager._event_id_gen._next_id - 1
    context.source_event_id = context.last_published_event_id = last
    if run.states >= run.silent_until and str(event_type.value).endswith("StateEntered"):
        run.silent_until = 0
        count = run.execution.local_aws_redrives
        if count > run.execution.__dict__.get("local_aws_redrives_told", 0):  # not again after a crash
            run.execution.local_aws_redrives_told = count
            details = {"executionRedrivenEventDetails": {"redriveCount": count}}
            add_event(manager, context, HistoryEventType.ExecutionRedriven, details)
    return True


def describe(execution: Any) -> dict[str, Any]:
    """Return what DescribeExecution tells of it."""
    count, why = execution.__dict__.get("local_aws_redrives", 0), _why_not(execution)
    answer = {"redriveCount": count, "redriveStatus": "NOT_REDRIVABLE" if why else "REDRIVABLE"}
    if why:
        answer["redriveStatusReason"] = why
    if count:
        answer["redriveDate"] = execution.local_aws_redriven_at
    return answer


def _why_not(execution: Any) -> str:
    status = execution.exec_status
    if status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
        return f"Execution is {status.value} and cannot be redriven"
    if CLOCK.now() - execution.stop_date.timestamp() > _DAYS * 86_400:
        return f"Execution has exceeded the redrivable period of {_DAYS} days"
    return ""


def _respond_to_redrive(self: StepFunctionResponse) -> ActionResult:
    execution: Any = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    why = _why_not(execution)
    if why:
        raise ExecutionNotRedrivable(f"Execution Not Redrivable: '{why}'")
    journal = execution.local_aws_journal
    places = list(journal)
    marks = [number for number, place in enumerate(places) if place.startswith(_MARK)]
    for place in places[marks[-1] + 1 :] if marks else places:
        if not (isinstance(journal[place], dict) and "output" in journal[place]):
            del journal[place]
    execution.local_aws_redrives = execution.__dict__.get("local_aws_redrives", 0) + 1
    execution.local_aws_redriven_at = moment(CLOCK.now())
    execution.stop_date = execution.error = execution.cause = None
    execution.__dict__.pop("local_aws_kept", None)
    execution.start()
    return ActionResult({"redriveDate": execution.local_aws_redriven_at})

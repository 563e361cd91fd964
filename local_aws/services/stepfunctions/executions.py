"""Executions: how they begin, end, are stopped, and begin again after a crash.

moto 5.2.5 has no metrics, no events and no logs of executions, and forgets the error and cause of StopExecution.
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from __future__ import annotations

import logging
import pickle
import threading
from typing import Any

from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend import execution as execution_module
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local_aws.clock import CLOCK
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch import recording
from local_aws.services.events.emit import emit
from local_aws.services.patching import add, replace
from local_aws.services.stepfunctions import execution_logs, redriving
from local_aws.services.stepfunctions.jobs import endings
from local_aws.services.stepfunctions.run import Position, Run, in_iso, moment

log = logging.getLogger("local_aws.stepfunctions")

_ENDS = {
    HistoryEventType.ExecutionSucceeded,
    HistoryEventType.ExecutionFailed,
    HistoryEventType.ExecutionTimedOut,
    HistoryEventType.ExecutionAborted,
}

active: dict[str, Run] = {}  # by the execution's ARN; what is under way in this process


def install(aws: Aws) -> None:
    """Let moto do this."""
    execution_class: Any = execution_module.Execution

    def start(self: Any) -> None:
        _begin(aws, self)

    replace(execution_class, start=start, stop=_stop)
    add(execution_class, __getstate__=_state, __setstate__=_restore)
    replace(StepFunctionBackend, delete_state_machine=_deleting(StepFunctionBackend.delete_state_machine))
    replace(EventManager, add_event=_adding(EventManager.add_event))
    aws.at_reset(_abandon_all)
    aws.at_stop(_abandon_all)
    aws.describe_by("executions", lambda: [{"execution": arn} for arn in list(active)])


def resume_all(aws: Aws) -> None:
    """After a crash: begin again what was under way; what its tasks had done is in its journal."""
    for backends in list(stepfunctions_parser_backends.values()):
        for backend in list(backends.values()):
            for machine in backend.state_machines:
                for execution in list[Any](machine.executions):
                    if execution.exec_status == ExecutionStatus.RUNNING:
                        log.info("going on with %s", execution.exec_arn)
                        _begin(aws, execution)


# An execution's life


def _begin(aws: Aws, execution: Any) -> None:
    run = Run(aws, execution)
    again = bool(run.before)
    worker = execution.exec_worker = execution._get_start_execution_worker()
    worker._cloud_watch_logging_session = execution_logs.session_of(aws, execution)
    env = worker.env = worker._get_evaluation_environment()
    env.local_aws_run, env.local_aws_path, env.local_aws_place = run, run.path, Position()
    env.event_manager.local_aws_run = run
    redrives = execution.__dict__.get("local_aws_redrives", 0)
    if redrives:
        redriving.prepare(run, env)
    started = in_iso(execution.start_date.timestamp())
    env.states.context_object.context_object_data["Execution"]["StartTime"] = started
    execution.exec_status = ExecutionStatus.RUNNING
    execution.local_aws_history = env.event_manager._history_event_list
    active[execution.exec_arn] = run
    worker._get_evaluation_environment = lambda: env
    if not again:
        if not redrives:
            _count(run, "ExecutionsStarted")
        _announce(run)
    threading.Thread(target=_work, args=(run, worker), name=f"execution {execution.name}", daemon=True).start()


def _work(run: Run, worker: Any) -> None:
    execution = run.execution
    try:
        worker._execution_logic()
    except Exception:
        log.exception("%s failed inside", execution.exec_arn)
        execution.exec_status = ExecutionStatus.FAILED
        execution.error, execution.cause = "States.Runtime", "An internal error of the embedded AWS; see its log."
    finally:
        if active.pop(execution.exec_arn, None) is run:
            _end(run)
        run.path.finish()


def _end(run: Run) -> None:
    """Tell of the end."""
    execution = run.execution
    with run.aws.lock:
        if run.stopped_at is not None:
            execution.stop_date = run.stopped_at
            execution.exec_status = ExecutionStatus.ABORTED
            execution.error, execution.cause = run.stopped_with
        execution.stop_date = execution.stop_date or moment(CLOCK.now())
        if execution.exec_status == ExecutionStatus.SUCCEEDED:  # others may be redriven
            run.journal.clear()
        execution.__dict__.pop("local_aws_kept", None)  # without its last events, if it was stopped
    status = execution.exec_status
    name = {
        ExecutionStatus.SUCCEEDED: "ExecutionsSucceeded",
        ExecutionStatus.FAILED: "ExecutionsFailed",
        ExecutionStatus.TIMED_OUT: "ExecutionsTimedOut",
        ExecutionStatus.ABORTED: "ExecutionsAborted",
    }[status]
    _count(run, name)
    milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
    _count(run, "ExecutionTime", milliseconds, "Milliseconds")
    _announce(run)
    endings.tell(execution.exec_arn)
    execution.exec_worker = None  # what it held in memory


def _count(run: Run, name: str, value: float = 1.0, unit: str = "Count") -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    dimensions = {"StateMachineArn": machine_arn(run.execution)}
    recording.count(run.aws, "AWS/States", name, dimensions, value, unit)


def machine_arn(execution: Any) -> str:
    """Return the ARN of an execution's machine, whichever version it began with."""
    return str(getattr(execution.state_machine, "source_arn", execution.state_machine.arn))


def _announce(run: Run) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    execution = run.execution
    over = execution.exec_status != ExecutionStatus.RUNNING
    succeeded = execution.exec_status == ExecutionStatus.SUCCEEDED
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": machine_arn(execution),
        "name": execution.name,
        "status": str(execution.exec_status.value),
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000) if over else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": output_of(execution) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.error if over else None,
        "cause": execution.cause if over else None,
    }
    emit(run.aws, "aws.states", "Step Functions Execution Status Change", detail, [execution.exec_arn])


def _stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
    run = active.get(self.exec_arn)
    if run is None:
        return
    run.stopped_at, run.stopped_with = moment(CLOCK.now()), (error, cause)
    self.exec_worker.env.set_stop(stop_date=run.stopped_at, error=error, cause=cause)
    self.exec_status, self.stop_date, self.error, self.cause = ExecutionStatus.ABORTED, run.stopped_at, error, cause


def _abandon_all() -> None:
    """The account is emptied, or the embedded AWS ends: nobody hears of these executions again."""
    for arn, run in list(active.items()):
        active.pop(arn, None)
        run.execution.exec_worker.env.set_stop(stop_date=moment(CLOCK.now()), error=None, cause=None)
        run.path.finish()


def _deleting(delete: Any) -> Any:
    def delete_state_machine(self: StepFunctionBackend, arn: str) -> None:
        machine = next((one for one in self.state_machines if one.arn == arn), None)
        for execution in machine.executions if machine is not None else ():
            execution.stop(None, None, None)
        delete(self, arn)

    return delete_state_machine


def _state(self: Any) -> dict[str, Any]:
    """For pickle: without the threads' things, because what is under way begins again from the journal.

    The history is one piece: persistence.py looks at each object by itself, and writes everything again and again.
    """
    kept = self.__dict__.get("local_aws_kept")
    if kept is None:
        kept = pickle.dumps(list(self.local_aws_history), protocol=5)
        if self.exec_status != ExecutionStatus.RUNNING:
            self.local_aws_kept = kept
    gone = {"exec_worker": None, "_cloud_watch_logging_session": None}
    return {**self.__dict__, **gone, "local_aws_history": kept}


def _restore(self: Any, state: dict[str, Any]) -> None:
    history = pickle.loads(state["local_aws_history"])  # noqa: S301 (our own)
    self.__dict__.update({**state, "local_aws_history": history})


def _adding(add_event: Any) -> Any:
    def add_event_once(
        self: Any,
        context: Any,
        event_type: Any,
        event_details: Any = None,
        timestamp: Any = None,
        update_source_event_id: bool = True,
    ) -> int:
        run: Run = self.local_aws_run
        with run.aws.lock:  # a snapshot of the account may be taken at any moment
            number = self._event_id_gen._next_id
            if self.__dict__.get("local_aws_over"):  # a branch that hears of the end later than its execution
                return int(number)
            if redriving.is_silent(run, self, context, event_type, add_event):
                return int(number) - 1
            self.local_aws_over = event_type in _ENDS
            timestamp = timestamp or run.moment_of(number, event_type)
            return int(add_event(self, context, event_type, event_details, timestamp, update_source_event_id))

    return add_event_once


def output_of(execution: Any) -> str:
    """Return the output as text."""
    return str(to_json_str(execution.output, separators=(",", ":")))

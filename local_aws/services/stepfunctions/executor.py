"""moto's executor of state machines, by AWS's clock, stoppable, and able to go on after a crash.

moto 5.2.5 sleeps for the delay of a Retry and the seconds of a Wait, and measures timeouts, by the computer's clock;
its threads go on after an execution was stopped; timestamps are read in the computer's time zone.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import copy
import datetime
import threading
import types
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name import error_equals_decl
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import timestamp as wait_timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event import event_manager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.backend import execution as execution_module

from local_aws.clock import CLOCK
from local_aws.services.patching import replace
from local_aws.services.stepfunctions.failures import FailureEventException, failure
from local_aws.services.stepfunctions.run import Interrupted, Position, Run, Waiter, in_iso, sleep_until, wait_until


def install() -> None:
    """Let moto do this."""
    for module in (event_manager, execution_module):
        replace(module, datetime=_clocked(_Datetime))
    replace(state_module, datetime=_clocked(_EnteredTime))
    _install_environment()
    # moto writes every failure into the log once for each level, with all of the state: it is in the history.
    quiet = {"_log_failure_event_exception": lambda *_, **__: None, "_log_exception": lambda *_, **__: None}
    replace(EvalComponent, **quiet)
    replace(Program, eval=_eval_program)
    replace(ExecutionState, _evaluate_with_timeout=_evaluate_with_timeout)
    replace(retrier_decl.RetrierDecl, _eval_body=_eval_retrier)
    replace(error_equals_decl.ErrorEqualsDecl, _eval_body=_eval_error_equals)
    replace(StateChoice, _eval_state=_choosing(StateChoice._eval_state))
    replace(WaitFunction, _wait_interval=lambda self, env, wait_seconds: sleep_until(env, wait_seconds, "a Wait state"))
    replace(wait_timestamp.Timestamp, _get_wait_seconds=_seconds_until_timestamp)


class _Datetime(datetime.datetime):
    """The datetime of moto's modules: its now() is AWS's."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime.datetime:  # type: ignore[override]
        return datetime.datetime.fromtimestamp(CLOCK.now(), tz)


class _EnteredTime(datetime.datetime):
    """The same for what is text in the context object."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime.datetime:  # type: ignore[override]
        return cls.fromtimestamp(CLOCK.now(), tz)

    def isoformat(self, *_: Any, **__: Any) -> str:
        return in_iso(self.timestamp())


def _clocked(kind: type[datetime.datetime]) -> Any:
    """Return what stands for the module datetime."""
    return types.SimpleNamespace(datetime=kind, timezone=datetime.timezone, timedelta=datetime.timedelta)


def _install_environment() -> None:
    """Each frame knows its run, its path and its place; what ends a frame wakes what waits in it."""
    as_inner_frame_of = Environment.as_inner_frame_of.__func__  # type: ignore[attr-defined]

    def inner_frame(cls: type[Environment], env: Any, *given: Any, **named: Any) -> Any:
        frame = as_inner_frame_of(cls, env, *given, **named)
        frame.local_aws_run = env.local_aws_run
        frame.local_aws_path = env.local_aws_path
        frame.local_aws_place = env.local_aws_place
        return frame

    replace(Environment, as_inner_frame_of=classmethod(inner_frame))

    def waking(name: str) -> Any:
        ending = getattr(Environment, name)

        def end(self: Any, *given: Any, **named: Any) -> None:
            ending(self, *given, **named)
            self.local_aws_run.wake_all()

        return end

    for name in ("set_ended", "set_error", "set_timed_out", "set_stop"):
        replace(Environment, **{name: waking(name)})


def _eval_program(self: Program, env: Any) -> None:
    """Run a state machine, a branch or an item, in the calling thread."""
    env.next_state_name = self.start_at.start_at_name
    timer = None
    if self.timeout_seconds is not None and not env.is_frame():
        run: Run = env.local_aws_run
        redriven_at = run.execution.__dict__.get("local_aws_redriven_at")
        started = (redriven_at or run.execution.start_date).timestamp()
        deadline = started + self.timeout_seconds.timeout_seconds
        timer = CLOCK.call_at(deadline, f"the time limit of execution {run.execution.name}", env.set_timed_out)
    try:
        EvalComponent.eval(self, env)
    except Interrupted:
        _add_aborted(self, env)
        if not env.is_frame():
            self._eval_body(env)  # not running any more: it only adds the event of its end
    finally:
        if timer is not None:
            timer.cancel()


_ABORTED = {
    HistoryEventType.TaskStateEntered: HistoryEventType.TaskStateAborted,
    HistoryEventType.WaitStateEntered: HistoryEventType.WaitStateAborted,
    HistoryEventType.ParallelStateEntered: HistoryEventType.ParallelStateAborted,
    HistoryEventType.MapStateEntered: HistoryEventType.MapStateAborted,
}


def _add_aborted(program: Program, env: Any) -> None:
    state = env.states.context_object.context_object_data.get("State", {}).get("Name")
    entered = getattr(program.states.states.get(state), "state_entered_event_type", None)
    if entered in _ABORTED and isinstance(env.program_state(), ProgramStopped | ProgramTimedOut):
        env.event_manager.add_event(context=env.event_history_context, event_type=_ABORTED[entered])


def _evaluate_with_timeout(self: Any, env: Any) -> None:
    self.timeout.eval(env=env)
    seconds = env.stack.pop()
    run: Run = env.local_aws_run
    place = env.local_aws_place.next()
    frame = env.open_frame()
    frame.local_aws_place = Position(place)
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    outputs: list[Any] = []
    failures: list[BaseException] = []
    done = threading.Event()
    waiters: list[Waiter] = []

    def work() -> None:
        try:
            self._eval_execution(frame)
            outputs.extend(frame.stack)
        except (Exception, Interrupted) as error:
            failures.append(error)
        done.set()
        for waiter in waiters:
            waiter.event.set()

    # Only a task's time is limited, and only that of one that says so. https://states-language.net/#timeouts
    limited = isinstance(self, StateTask) and not self.timeout.is_default_value()
    in_time = run.journal.get(f"{place} timed out") is None
    if in_time:
        began = run.journal.get(f"{place} began", CLOCK.now())
        if limited:
            run.note(f"{place} began", began)
        threading.Thread(target=work, name=f"state {self.name}", daemon=True).start()
        deadline = began + seconds if limited else None
        try:
            in_time = wait_until(
                env,
                done.is_set,
                what=f"the time limit of {self.name}",
                deadline=deadline,
                rests=False,
                register=waiters.append,
            )
        finally:
            frame.set_ended()
            env.close_frame(frame)
    if not env.is_running():
        raise Interrupted
    if not in_time:
        run.note(f"{place} timed out", True)
        raise EvalTimeoutError()
    if failures:
        raise failures[0]
    output = outputs.pop()
    env.stack.append(output)
    if not self._is_language_query_jsonpath():
        env.states.set_result(output)
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if self.result_selector:
        self.result_selector.eval(env=env)
    if self.result_path:
        self.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _eval_retrier(self: Any, env: Any) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    self.interval_seconds.eval(env=env)
    self.backoff_rate.eval(env=env)
    self.max_delay_seconds.eval(env=env)
    self.jitter_strategy.eval(env=env)
    sleep_until(env, env.stack.pop(), "a Retry")
    env.stack.append(RetrierOutcome.Executed)


_ALL = StatesErrorName(typ=StatesErrorNameType.StatesALL)
_TASK_FAILED = StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed)
_NOT_ALL = {"States.DataLimitExceeded", "States.Runtime"}  # these two are not in States.ALL, says the document


def _eval_error_equals(self: Any, env: Any) -> None:
    error = env.stack.pop()
    name = error.error_name if error is not None else ""
    matches = (
        error in self.error_names
        or (_ALL in self.error_names and name not in _NOT_ALL)
        or (_TASK_FAILED in self.error_names and name not in {"States.Timeout", *_NOT_ALL})
    )
    env.stack.append(matches)


def _choosing(eval_state: Any) -> Any:
    """moto ends an execution that has no way to go with an internal error."""

    def eval_choice(self: Any, env: Any) -> None:
        try:
            eval_state(self, env)
        except RuntimeError:
            entered = env.event_history_context.source_event_id
            cause = (
                f"An error occurred while executing the state '{self.name}' (entered at the event id #{entered}). "
                "Failed to transition out of the state. The state does not point to a next state."
            )
            name = "States.NoChoiceMatched"
            details = {"executionFailedEventDetails": {"error": name, "cause": cause}}
            raise FailureEventException(failure(env, name, HistoryEventType.ExecutionFailed, details)) from None

    return eval_choice


def _seconds_until_timestamp(self: Any, env: Any) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    try:
        when = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        if when.tzinfo is None:
            raise ValueError("a time without its zone")
    except ValueError:
        raise FailureEventException(self._create_failure_event(env, text)) from None
    return when.timestamp() - CLOCK.now()

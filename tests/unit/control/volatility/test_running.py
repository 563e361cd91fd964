"""A day of the chain as a person runs it: which days, what is told on the way, and how it ends."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from chronos_training.control.volatility import running
from chronos_training.control.volatility.execution import in_words
from chronos_training.core.clock import utc_now
from chronos_training.core.errors import ConfigurationError, TrainingError

ARN = "arn:aws:states:us-east-1:123456789012:execution:volatility-dev-daily:one"


def entered(name: str, kind: str = "TaskStateEntered") -> dict[str, Any]:
    return {"type": kind, "stateEnteredEventDetails": {"name": name}}


class Chain:
    """Step Functions, with executions that end after two looks as `ends` says."""

    def __init__(self, *ends: dict[str, Any], history: tuple[dict[str, Any], ...] = ()) -> None:
        self.inputs: list[dict[str, Any]] = []
        self._ends, self._history, self._looks = list(ends), history, 0

    def start_execution(self, **given: Any) -> dict[str, Any]:
        self.inputs.append(json.loads(given["input"]))
        return {"executionArn": ARN}

    def describe_execution(self, **_: Any) -> dict[str, Any]:
        self._looks += 1
        return {"status": "RUNNING"} if self._looks % 2 else self._ends.pop(0)

    def get_paginator(self, _: str) -> Chain:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"events": list(self._history[: 2 if self._looks % 2 else None])}]


def done(date: str, **more: Any) -> dict[str, Any]:
    said = {"infer": {"said": {"said": [f"{date}: 20.0 % a year by log-har"]}}, **more}
    return {"status": "SUCCEEDED", "output": json.dumps({"day": {"said": {"session": True, "date": date}}, **said})}


NONE = {
    "status": "SUCCEEDED",
    "output": json.dumps({"day": {"said": {"session": False, "why": "2018-12-05 is no session of XNYS."}}}),
}
LATE = {"status": "FAILED", "error": "SourceLate", "cause": "SPX missing on the session that is due."}


def run(monkeypatch: pytest.MonkeyPatch, chain: Chain, *days: str) -> tuple[dict[str, Any], list[str]]:
    told: list[str] = []
    monkeypatch.setattr(running.aws, "client", lambda *_, **__: chain)
    target = running.Target("dev", "us-east-1", "day", "arn:chain", {"ingest": "/aws/lambda/volatility-dev-ingest"})
    events = {day: running.event(utc_now(), day=day) for day in days}
    found = running.run_days(target, events, lambda day: f"again {day}", poll_seconds=0, emit=told.append)
    return found, told


def test_what_is_done_is_told_as_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    history = (
        entered("WhichSession"), entered("IsASession", "ChoiceStateEntered"), entered("Ingest"),
        entered("WaitForTheSource", "WaitStateEntered"), entered("Ingest"), entered("Infer"),
    )  # fmt: skip
    found, told = run(monkeypatch, Chain(done("2018-12-07"), history=history), "2018-12-07")
    assert told[0].startswith(
        "2018-12-07: started; it runs without this command, too. To look at it: aws stepfunctions describe-ex"
    )
    assert told[0].endswith(ARN)
    late = "the prices are late; they are asked for again every quarter of an hour"
    assert told[1:] == [f"2018-12-07: {words}" for words in ("ingest", late, "forecast")]
    assert running.told(found) == ["2018-12-07: 20.0 % a year by log-har"]


def test_a_range_leaves_out_what_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(done("2018-12-04"), NONE, done("2018-12-06"))
    found, told = run(monkeypatch, chain, "2018-12-04", "2018-12-05", "2018-12-06")
    assert list(found) == ["2018-12-04", "2018-12-06"]
    assert "2018-12-05 is no session of XNYS. It is left out." in told
    assert [one["date"] for one in chain.inputs] == ["2018-12-04", "2018-12-05", "2018-12-06"]


def test_a_day_that_is_no_session_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^2018-12-05 is no session of XNYS\.$"):
        run(monkeypatch, Chain(NONE), "2018-12-05")
    with pytest.raises(ConfigurationError, match="None of these days is a session: 2018-12-05, 2018-12-05b"):
        run(monkeypatch, Chain(NONE, NONE), "2018-12-05", "2018-12-05b")


def test_a_failure_says_where_why_and_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"type": "TaskFailed", "taskFailedEventDetails": {"error": "SourceLate"}}
    history = (entered("WhichSession"), entered("Ingest"), failed, entered("NoPrices", "FailStateEntered"))
    chain = Chain(done("2018-12-06"), LATE, history=history)
    with pytest.raises(TrainingError) as failure:
        run(monkeypatch, chain, "2018-12-06", "2018-12-07", "2018-12-10")
    words = str(failure.value)
    assert words.startswith(
        "2018-12-07: the chain failed at Ingest: SourceLate: SPX missing on the session that is due. "
        "Done before it: 2018-12-06."
    )
    assert "aws logs tail --region us-east-1 /aws/lambda/volatility-dev-ingest --since 1h\n" in words
    assert words.endswith("Once that is mended: again 2018-12-07")
    assert len(chain.inputs) == 2  # what comes after it builds on it


def test_a_step_that_the_chain_went_past_is_the_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"type": "TaskFailed", "taskFailedEventDetails": {"error": "Runtime.ExitError"}}
    history = (entered("Gate"), failed, entered("Infer"), entered("Check"), entered("AStepFailed", "FailStateEntered"))
    cause = 'Runtime.ExitError: {"errorMessage": "the process ended", "errorType": "Runtime.ExitError"}'
    chain = Chain({"status": "FAILED", "error": "StepFailed", "cause": cause}, history=history)
    with pytest.raises(TrainingError, match=r"the chain failed at Gate: Runtime\.ExitError: the process ended "):
        run(monkeypatch, chain, "2018-12-07")


def test_the_gates_refusal_is_told() -> None:
    gate = {
        "action": "keep", "reason": "no candidate may serve", "serves": None, "chosen": None, "canary_failed": False,
        "refused": ["log-har: 900 sessions out of sample, at least 1,000 wanted: refused"],
    }  # fmt: skip
    assert running.told({"2018-12-07": {"said": ["a forecast"], "gate": gate}}) == [
        "a forecast", *gate["refused"], "gate: keep: no candidate may serve. No model serves.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ('{"errorMessage": "SPX missing.", "errorType": "SourceLate", "stackTrace": []}', "SPX missing."),
        ('["labels_daily ends with 2018-11-30.", "Two."]', "labels_daily ends with 2018-11-30. Two."),
        ('{"Containers": [{"ExitCode": 137}], "StoppedReason": "OutOfMemoryError"}', "OutOfMemoryError. It ended with exit code 137."),
        ('{"Containers": [{}], "StoppedReason": "No capacity"}', "No capacity."),
        ("A sentence.", "A sentence."),
        ("3", "3"),
    ],
)  # fmt: skip
def test_a_cause_in_words(cause: str, words: str) -> None:
    assert in_words(cause) == words


class Lambda:
    """Lambda, with one answer."""

    def __init__(self, said: Any, *, failed: bool = False) -> None:
        self._answer = {"Payload": io.BytesIO(json.dumps(said).encode()), **({"FunctionError": "Unhandled"} if failed else {})}  # fmt: skip

    def invoke(self, **_: Any) -> dict[str, Any]:
        return self._answer


def test_a_check_that_finds_something_fails() -> None:
    with pytest.raises(TrainingError, match=r"found what is wrong: features_daily ends with 2018-12-06\."):
        running.call(Lambda({"sound": False, "problems": ["features_daily ends with 2018-12-06."]}), "check", {})
    assert running.told({"now": running.call(Lambda({"sound": True}), "check", {})}) == ["Nothing is wrong."]


def test_an_exception_of_a_function_is_a_sentence() -> None:
    said = {"errorType": "ContractBroken", "errorMessage": "No model nothing is stored.", "stackTrace": ["…"]}
    with pytest.raises(TrainingError, match=r"^volatility-dev-gate failed: No model nothing is stored\.$"):
        running.call(Lambda(said, failed=True), "volatility-dev-gate", {})
    with pytest.raises(TrainingError, match=r"^f failed: MemoryError: \.$"):
        running.call(Lambda({"errorType": "MemoryError", "errorMessage": "."}, failed=True), "f", {})


def test_days_of_a_range_are_not_on_a_weekend() -> None:
    assert running.days("2018-12-07", "2018-12-10") == ["2018-12-07", "2018-12-10"]
    assert running.days("2018-12-08", "") == ["2018-12-08"]  # the chain says that it is no session
    for first, last in (("7 December", ""), ("", "2018-12-07"), ("2018-12-07", "2018-12-06")):
        with pytest.raises(ConfigurationError):
            running.days(first, last)

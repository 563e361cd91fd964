"""The daily chain of the volatility stack on AWS's clock, from an empty account, made and used by the playbooks.

One account for the whole file, day after day: each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.services.volatility import crashes
from tests.services.volatility.daily_stack import BUCKET, NEW_YORK, SESSIONS, TABLES, Stack, Uploads, kept_warm

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]
WAIT = 4 * 3600


class Days:
    """A deployed stack, the sessions there are, and the days that are left."""

    def __init__(self, stack: Stack, uploads: Uploads, mourning: str) -> None:
        self.stack, self.uploads, self.mourning = stack, uploads, mourning
        today = str(stack.aws.now().astimezone(NEW_YORK).date())
        self.begin = [one for one in uploads.sessions if one < today][-30]
        self._coming = [one for one in uploads.sessions if one > today]
        self.deployed = {
            "volatility_pipeline_settings": uploads.settings(),
            "volatility_pipeline_source_wait_seconds": WAIT,
        }

    def next(self, *, ends_week: bool = False) -> str:
        """The next session, or the next one that does or does not end a week; those before it are over."""
        while self.uploads.sessions[day := self._coming.pop(0)] != ends_week:
            pass
        return day

    def evening(self, day: str) -> dict[str, Any]:
        """Let time pass until a session's evening; its execution."""
        self.stack.advance_to(day, "18:06")
        return self.stack.executions()[-1]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """A stack from an empty account, without data; on a Wednesday in two weeks there is no session."""
    folder = tmp_path_factory.mktemp("daily")
    with kept_warm(folder / "home") as aws:
        stack = Stack(aws)
        today = aws.now().astimezone(NEW_YORK).date()
        mourning = str(today + timedelta(days=14 + (2 - today.weekday()) % 7))
        found = Days(stack, Uploads(stack, folder, SESSIONS, (mourning,)), mourning)
        stack.provision(**found.deployed)
        yield found


def test_a_second_deployment_changes_nothing(days: Days) -> None:
    assert "changed=0" in days.stack.play("deploy_volatility", **days.deployed)


def test_a_source_that_is_down_stops_a_day_of_the_past_at_once(days: Days) -> None:
    found = days.stack.ended(days.stack.start(date=days.begin, train=True))
    assert (found["status"], found["error"]) == ("FAILED", "SourceDown")
    assert "SPX missing on the session that is due (s3://" in found["cause"]
    assert found["cause"].count("uploads/SPX.csv is not there") == 1 and "stackTrace" not in found["cause"]
    assert not days.stack.keys("raw.market")


def test_a_training_that_spot_takes_back_runs_on_demand(days: Days) -> None:
    """Too short a history: the gate refuses all, and nothing forecasts."""
    stack = days.stack
    days.uploads.until(days.begin)
    execution = stack.start(date=days.begin, train=True)
    crashes.taken_by_spot(stack)
    found = stack.ended(execution)
    assert (found["status"], found["error"]) == ("FAILED", "ConfigurationError")
    assert "no model passed the gate yet" in found["cause"]
    ways = {one.get("capacityProviderName", "FARGATE"): one for one in stack.tasks()}
    assert ways["FARGATE_SPOT"]["stopCode"] == "SpotInterruption"
    assert [one["exitCode"] for one in ways["FARGATE"]["containers"]] == [0]
    [decision] = [key for key in stack.keys("gate/") if "canary" not in key]
    refused = json.loads(stack.aws.client("s3").get_object(Bucket=BUCKET, Key=decision)["Body"].read())
    assert refused["action"] == "keep"


def test_the_evening_makes_the_forecast_and_the_morning_finds_it(days: Days) -> None:
    stack = days.stack
    [simplest] = re.findall(r"artifacts/model/(log-har-\d{8}-\w+)/model.json", " ".join(stack.keys("artifacts/model/")))
    assert stack.call("gate", promote=simplest)["serves"] == simplest
    day = days.next()
    days.uploads.until(day)
    evening = days.evening(day)
    assert evening["status"] == "SUCCEEDED" and stack.predicted()[-1] == day
    assert stack.metric("PredictionPresent", day)[-1] == 1
    stored = stack.etags()
    stack.advance_to(after(day), "07:01")
    morning = stack.executions()[-1]
    assert morning["status"] == "SUCCEEDED" and morning["executionArn"] != evening["executionArn"]
    assert stack.states(morning["executionArn"])[-1] == "Done"
    assert stack.etags() == stored


def test_two_executions_of_a_day_at_once_leave_what_one_leaves(days: Days) -> None:
    stack = days.stack
    day = days.next()
    days.uploads.until(day)
    stack.advance_to(day, "17:30")
    executions = [stack.start(time=at(day, "18:05")) for _ in range(2)]
    for one in executions:
        assert (found := stack.ended(one))["status"] == "SUCCEEDED", found
    for table in TABLES:
        stored = [key for key in stack.keys(f"{table}/date=") if f"date={day}/" in key]
        assert len(stored) == (table != "labels_daily"), stored
    assert not [key for key in stack.keys("") if re.search(r"/000[1-9]-\w{8}\.parquet$", key)]


def test_a_training_after_a_night_of_waiting_comes_after_the_forecast_and_cannot_keep_it_back(days: Days) -> None:
    stack = days.stack
    day = days.next(ends_week=True)
    late = days.evening(day)
    assert late["status"] == "RUNNING" and stack.states(late["executionArn"])[-1] == "WaitForTheSource"
    stack.advance_to(after(day), "06:00")
    days.uploads.until(day)
    # The source has them at 06:05. The training's process dies, on Spot and on demand.
    crashes.while_passing(stack, after(day), "06:30", lambda: crashes.task_killed(stack, times=2))
    found, states = stack.ended(late["executionArn"]), stack.states(late["executionArn"])
    assert states.index("ForecastFirst") < states.index("Train") < states.index("TrainOnDemand") < states.index("Infer")
    assert (found["status"], found["error"], states[-1]) == ("FAILED", "StepFailed", "AStepFailed")
    assert re.match(r'States.TaskFailed: .*"ExitCode": ?137', found["cause"]), found["cause"]
    assert stack.predicted()[-1] == day
    # The second chance trains, and the forecast stays.
    stack.advance_to(after(day), "07:01")
    morning = stack.executions()[-1]
    assert morning["status"] == "SUCCEEDED", stack.ended(morning["executionArn"])
    assert "Train" in stack.states(morning["executionArn"]) and stack.predicted().count(day) == 1


def test_a_late_source_is_waited_for_until_the_deadline_and_then_told(days: Days) -> None:
    stack = days.stack
    day, before = days.next(), stack.predicted()[-1]
    late = days.evening(day)
    stack.advance_to(after(day), "07:29")
    assert stack.states(late["executionArn"]).count("WaitForTheSource") == 3
    assert stack.states(late["executionArn"])[-1] == "WaitForTheDeadline"
    stack.advance_to(after(day), "07:31")
    evening, morning = (stack.ended(one["executionArn"]) for one in stack.executions()[-2:])
    assert evening["executionArn"] == late["executionArn"]
    for found in (evening, morning):
        assert (found["status"], found["error"]) == ("FAILED", "SourceLate")
        said = f"row {day}: SPX missing on the session that is due (uploaded has SPX until {before} only)"
        assert said in found["cause"]
    stack.advance_to(after(day), "08:01")
    assert day not in stack.predicted()
    assert stack.metric("PredictionPresent", after(day))[-1] == 0


def test_nothing_runs_on_a_day_without_a_session(days: Days) -> None:
    stack = days.stack
    for event in ({"time": at(days.mourning, "18:05")}, {"date": days.mourning}):
        found = stack.ended(execution := stack.start(**event))
        assert found["status"] == "SUCCEEDED" and stack.states(execution) == ["WhichSession", "IsASession", "NoSession"]
    assert len(stack.predicted()) == len(set(stack.predicted()))


def at(day: str, clock: str) -> str:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=NEW_YORK).isoformat()


def after(day: str) -> str:
    return str(date.fromisoformat(day) + timedelta(days=1))

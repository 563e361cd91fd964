"""Thirty sessions of the volatility stack by its own schedules, on AWS's clock, with everything going wrong that does.

Exactly one forecast a session, by 08:00 New York, or an alarm and its mail; no partition lost or doubled; the bill of a month.
The functions stay warm over weeks (LOCAL_AWS_LAMBDA_IDLE_SECONDS), so that six weeks take minutes: test_daily.py starts them.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.volatility import http
from local_aws.testing import EmbeddedAws
from tests.services.volatility import bill, crashes
from tests.services.volatility.daily_stack import NEW_YORK, PREFIX, SESSIONS, TABLES, Stack, Uploads, kept_warm
from tests.services.volatility.stack import READER, confirm, mails

pytestmark = [pytest.mark.services, pytest.mark.timeout(5400)]
COUNT = 30
WAIT = 3 * 3600
MOST_READS = (
    400  # S3 GETs of an evening with its retries, and of what comes after it until 08:00; a late source is asked again
)
MOST_DOLLARS = 6.0
HORIZON = 5


class Month:
    """A deployed stack with a history, and what happens to it day by day."""

    def __init__(self, stack: Stack, uploads: Uploads, days: list[str]) -> None:
        self.stack, self.uploads, self.days = stack, uploads, days
        self.aws = stack.aws
        self.used = bill.Used()
        self.restated: dict[str, float] = {}
        self.missed: list[str] = []
        self.reads: dict[str, int] = {}
        self.expected: Counter[str] = Counter()
        self.before = stack.etags()
        self.mails = len(mails(self.aws))
        self.url = parameter(self.aws, "api_url")
        self.key = http.key_of(self.aws.client("secretsmanager"), "volatility/local/api-key")

    # What days consist of.

    def prices(self, day: str) -> None:
        """The source has the prices until a session."""
        self.uploads.until(day, **self.restated)

    def evening(self, day: str, happens: Callable[[], None] | None = None) -> dict[str, Any]:
        """The evening's execution, and what happens during it; what came of it."""
        if happens is None:
            self.stack.advance_to(day, "18:06")
        else:
            crashes.while_passing(self.stack, day, "18:06", happens)
        return self.stack.executions()[-1]

    def ask(self, day: str) -> int:
        """Ask the API for a day's forecast; the answer's status. A start on a busy computer may outlast the gateway."""
        for _ in range(3):
            self.used.api += 1
            answer = http.ask(f"{self.url}/predict", key=self.key, body={"as_of_date": day})
            if answer.status not in (502, 504):
                break
        return answer.status

    def succeeded(self, found: dict[str, Any]) -> None:
        assert found["status"] == "SUCCEEDED", self.told(found)

    def told(self, found: dict[str, Any]) -> str:
        """What an execution went through, for a failure's message."""
        arn = found["executionArn"]
        said = self.aws.client("stepfunctions").describe_execution(executionArn=arn)
        return f"{said['status']} {said.get('error')}: {said.get('cause')}\n{self.stack.states(arn)}"

    # A day from its afternoon to the next morning.

    def live(self, day: str, evening: Callable[[Month, str], None]) -> None:
        """One session: the evening as `evening` has it, the night, the second chance, the watchdog."""
        self.stack.advance_to(day, "17:00")
        self.used.requests(self.aws)
        done = len(self.stack.executions())
        evening(self, day)
        reads = [self.used.requests(self.aws)]
        following = str(date.fromisoformat(day) + timedelta(days=1))
        self.stack.advance_to(following, "07:59")
        self.used.trainings(self.stack)
        present = self.stack.predicted().count(day)
        self.stack.advance_to(following, "08:01")
        assert self.stack.metric("PredictionPresent", following)[-1] == present
        for one in self.stack.executions()[done:]:
            self.used.executions += 1
            self.used.transitions += len(self.stack.states(one["executionArn"]))
        self.used.sessions += 1
        reads.append(self.used.requests(self.aws))
        if evening not in SEVERAL_TIMES:
            self.reads[day] = max(reads)
        print(f"{day} {evening.__name__}: {present} forecast, {reads} GETs", flush=True)
        if present:
            assert present == 1 and self.ask(day) == 200
        else:
            self.missed.append(day)
            assert self.ask(day) == 404

    def alarms(self) -> Counter[str]:
        """The alarms of the chain of which a mail came, and how often, since the month began."""
        new = mails(self.aws)[self.mails :]
        found = [re.match(rf'ALARM: "{PREFIX}-(.*?)"', one["subject"]) for one in new]
        trainings = sum("The training of volatility (local) failed" in one["text"] for one in new)
        # Those of the API are test_api.py's: on a busy computer its start may outlast the gateway.
        names = Counter(one[1] for one in found if one and not one[1].startswith("api-"))
        return names + Counter({"training": trainings})


def parameter(aws: EmbeddedAws, name: str) -> str:
    return str(aws.client("ssm").get_parameter(Name=f"/volatility/local/{name}")["Parameter"]["Value"])


# Evenings.


def plain(month: Month, day: str) -> None:
    month.prices(day)
    month.succeeded(month.evening(day))


def api_asked_all_the_time(month: Month, day: str) -> None:
    month.prices(day)
    over, seen = threading.Event(), []

    def ask() -> None:
        while not over.wait(0.2):
            seen.append(month.ask(day))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        month.succeeded(month.evening(day))
    finally:
        over.set()
        asking.join()
    assert set(seen) == {404, 200} and seen == sorted(seen, reverse=True), seen  # once there, it stays


def killed(step: str, writing: str = "") -> Callable[[Month, str], None]:
    def evening(month: Month, day: str) -> None:
        month.prices(day)
        if step != "ingest":  # a late source is an error of ingest as well: it alarms after three hours
            month.expected[f"step-failed-{step}"] += 1
        kill = crashes.function_killed(month.stack, step, writing=writing)
        found = month.evening(day, kill)
        month.succeeded(found)
        assert _retried(month.stack, found["executionArn"], "Runtime.ExitError")

    evening.__name__ = f"killed_{step}_writing_{writing or 'nothing'}"
    return evening


def killed_more_often_than_it_is_retried(month: Month, day: str) -> None:
    month.prices(day)
    kill = crashes.function_killed(month.stack, "features", times=3)
    found = month.evening(day, kill)
    assert found["status"] == "FAILED" and day not in month.stack.predicted()
    month.expected += Counter(("step-failed-features", "execution-failed"))
    month.stack.advance_to(str(date.fromisoformat(day) + timedelta(days=1)), "07:01")
    month.succeeded(month.stack.executions()[-1])


def computer_restarted(month: Month, day: str) -> None:
    # The account on disk is some seconds old; a write that was under way when the prices came may lack them, the next one has them.
    for _ in range(2):
        crashes.written(month.aws, lambda: month.prices(day))
    month.aws.fault("PutObject", delay=crashes.HELD, Key="raw.market/*")

    def crash() -> None:
        crashes.wait_for(lambda: not month.aws.faults(), "prices to be written", timeout=crashes.PATIENCE)
        crashes.computer_restarted(month.aws)

    with pytest.raises((OSError, HTTPException)):
        month.evening(day, crash)
    month.succeeded(month.evening(day))


def spot_takes_it_back(month: Month, day: str) -> None:
    month.prices(day)
    found = month.evening(day, lambda: crashes.taken_by_spot(month.stack))
    month.succeeded(found)
    assert {"Train", "TrainOnDemand", "Gate"} <= set(month.stack.states(found["executionArn"]))


def training_killed(month: Month, day: str) -> None:
    month.prices(day)
    month.expected["training"] += 1
    found = month.evening(day, lambda: crashes.task_killed(month.stack))
    month.succeeded(found)
    assert {"TrainOnDemand", "Gate"} <= set(month.stack.states(found["executionArn"]))


def late_until_night(month: Month, day: str) -> None:
    waiting = month.evening(day)
    assert waiting["status"] == "RUNNING"
    assert month.stack.states(waiting["executionArn"])[-1] == "WaitForTheSource"
    month.stack.advance_to(day, "22:00")
    month.prices(day)
    month.stack.advance_to(str(date.fromisoformat(day) + timedelta(days=1)), "00:10")
    month.succeeded(month.stack.ended(waiting["executionArn"]))
    assert day in month.stack.predicted()


def late_for_good(month: Month, day: str) -> None:
    waiting = month.evening(day)
    following = str(date.fromisoformat(day) + timedelta(days=1))
    month.stack.advance_to(following, "07:29")
    both = [one["status"] for one in month.stack.executions()[-2:]]
    assert both == ["RUNNING", "RUNNING"]  # the second chance waits beside the first
    month.stack.advance_to(following, "07:31")
    for one in month.stack.executions()[-2:]:
        found = month.stack.ended(one["executionArn"])
        assert (found["status"], found["error"]) == ("FAILED", "SourceLate"), month.told(one)
        assert f"row {day}: SPX missing on the session that is due (uploaded has SPX until " in found["cause"]
    assert "WaitForTheDeadline" in month.stack.states(waiting["executionArn"])
    month.expected += Counter(("execution-failed", "prediction-missing", "step-failed-ingest"))


def down_until_morning(month: Month, day: str) -> None:
    month.uploads.none()
    waiting = month.evening(day)
    assert waiting["status"] == "RUNNING"
    following = str(date.fromisoformat(day) + timedelta(days=1))
    month.stack.advance_to(following, "06:50")
    month.prices(day)
    month.stack.advance_to(following, "07:35")
    for one in month.stack.executions()[-2:]:
        month.succeeded(month.stack.ended(one["executionArn"]))


def restated(month: Month, day: str) -> None:
    [before] = [one for one in month.days if one < day][-3:-2]
    month.restated[before] = 0.008
    plain(month, day)
    assert len(month.stack.keys(f"raw.market/date={before}/")) == 2


def closed_early(month: Month, day: str) -> None:
    month.prices(day)
    two = datetime.fromisoformat(day).replace(hour=14, minute=5, tzinfo=NEW_YORK)
    execution = month.stack.start(time=two.isoformat())  # on another day its prices are not due by then
    month.succeeded({"executionArn": execution, **month.stack.ended(execution)})
    assert month.stack.predicted().count(day) == 1
    month.succeeded(month.evening(day))


def _retried(stack: Stack, execution: str, error: str) -> bool:
    pages = stack.aws.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    return any(error in str(event) for page in pages for event in page["events"])


# The chain asks for prices again and again, or is started by hand as well.
SEVERAL_TIMES = (late_until_night, late_for_good, down_until_morning, closed_early)
WEEK_ENDS = [spot_takes_it_back, training_killed, spot_takes_it_back, killed("gate", "gate/")]
DAYS = [
    plain, killed("ingest", "raw.market/"), killed("ingest"), late_until_night, killed("features", "features_daily/"), restated,
    late_for_good, plain, computer_restarted, killed("infer", "serving/predictions/"), down_until_morning, killed("check"),
    api_asked_all_the_time, killed_more_often_than_it_is_retried, killed("features", "labels_daily/"),
    killed("infer", "predictions_daily/"),
]  # fmt: skip


def plan(uploads: Uploads, days: list[str]) -> dict[str, Callable[[Month, str], None]]:
    """Return what happens on which day: trainings are of the last session of a week."""
    week_ends, others = iter(WEEK_ENDS), iter(DAYS)
    found: dict[str, Callable[[Month, str], None]] = {}
    for day in days:
        if day in uploads.early:
            found[day] = closed_early
        else:
            found[day] = next(week_ends if uploads.sessions[day] else others, plain)
    assert next(week_ends, None) is None and next(others, None) is None, "thirty sessions have no day left for it"
    return found


def next_early_close(today: date) -> date:
    """The next day on which New York closes early: before Independence Day, after Thanksgiving, before Christmas."""
    for day in (today + timedelta(days=count) for count in range(1, 400)):
        after_thanksgiving = day.month == 11 and day.weekday() == 4 and 23 <= day.day <= 29
        eve = (day.month, day.day) in ((7, 3), (12, 24)) and day.weekday() < 4
        if after_thanksgiving or eve:
            return day
    raise AssertionError("unreachable")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An embedded AWS of its own, because it is killed; the account is empty, and an early close some weeks ahead."""
    with kept_warm(tmp_path / "home") as aws:
        today = aws.now().astimezone(NEW_YORK)
        weeks_before = next_early_close(today.date()) - timedelta(days=28)
        if weeks_before > today.date():
            aws.advance(to=datetime.combine(weeks_before, today.timetz()))
        yield aws


def begun(aws: EmbeddedAws, folder: Path) -> Month:
    """From an empty account to a stack that forecasts from tomorrow on."""
    stack = Stack(aws)
    today = str(aws.now().astimezone(NEW_YORK).date())
    # A day of mourning in the third week: no calendar knows it before.
    mourning = str(date.fromisoformat(today) + timedelta(days=14 + (2 - date.fromisoformat(today).weekday()) % 7))
    uploads = Uploads(stack, folder, SESSIONS, (mourning,))
    last = max(one for one in uploads.sessions if one <= today)
    days = [one for one in uploads.sessions if one > last][:COUNT]
    assert mourning not in uploads.sessions and set(uploads.early) & set(days)
    with ThreadPoolExecutor(1) as pool:
        history = pool.submit(uploads.history, folder / "history", last)
        stack.provision(
            volatility_pipeline_settings=uploads.settings(),
            volatility_pipeline_source_wait_seconds=WAIT,
            volatility_alarms_emails=[READER],
        )
    confirm(aws)
    stack.store(history.result())
    stack.advance_to(days[0], "16:00")  # the alarms have seen the watchdog
    return Month(stack, uploads, days)


def test_thirty_sessions(own: EmbeddedAws, tmp_path: Path) -> None:
    month = begun(own, tmp_path)
    begin = own.now()
    for day, evening in plan(month.uploads, month.days).items():
        month.live(day, evening)
    one_forecast_a_session_or_an_alarm(month)
    nothing_is_lost_overwritten_or_doubled(month)
    a_month_is_cheap(month, begin)


def one_forecast_a_session_or_an_alarm(month: Month) -> None:
    stack, days = month.stack, month.days
    assert month.missed == [day for day, evening in plan(month.uploads, days).items() if evening is late_for_good]
    assert [one for one in stack.predicted() if one in days] == [one for one in days if one not in month.missed]
    assert month.alarms() == month.expected
    closed = closed_days(days)
    assert closed and not set(stack.predicted()) & set(closed)
    ended = {one["startDate"].astimezone(NEW_YORK): stack.states(one["executionArn"])[-1] for one in stack.executions()}
    assert {str(begun.date()) for begun, state in ended.items() if state == "NoSession"} >= set(closed)


def nothing_is_lost_overwritten_or_doubled(month: Month) -> None:
    after = month.stack.etags()
    changing = ("models/champion.json", "serving/latest.json", "settings.json", "uploads/SPX.csv")
    assert {key for key, etag in month.before.items() if key not in changing and after.get(key) != etag} == set()
    for table in TABLES:
        versions: dict[str, list[int]] = {}
        for key in after:
            if found := re.match(rf"{re.escape(table)}/date=(\S{{10}})/(\d{{4}})-", key):
                versions.setdefault(found[1], []).append(int(found[2]))
        assert {day: seqs for day, seqs in versions.items() if seqs != list(range(len(seqs)))} == {}, table
        absent = set(month.days) - set(versions)
        missing = {"labels_daily": set(month.days[-HORIZON:]), "predictions_daily": set(month.missed)}
        assert absent == missing.get(table, set()), table
        corrected = {day for day, seqs in versions.items() if len(seqs) > 1}
        if table in ("raw.market", "predictions_daily"):
            assert corrected == (set(month.restated) if table == "raw.market" else set())
        else:  # what follows from the restated price, before it for labels and after it for features
            assert corrected, table


def a_month_is_cheap(month: Month, begin: datetime) -> None:
    lines = bill.month(month.stack, month.used, begin)
    for one in lines:
        print(f"{one.what:14} {one.how_much:50} {one.dollars:6.2f}")
    together = sum(one.dollars for one in lines)
    print(f"together {together:.2f} dollars; most GETs at a time: {max(month.reads.values())}")
    assert {day: reads for day, reads in month.reads.items() if reads > MOST_READS} == {}
    assert together < MOST_DOLLARS, lines


def closed_days(days: list[str]) -> list[str]:
    """The weekdays between the first and the last session that are none."""
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    every = (first + timedelta(days=count) for count in range((last - first).days))
    return [str(one) for one in every if one.weekday() < 5 and str(one) not in days]

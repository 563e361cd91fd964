"""What people do with a deployed stack: make up for days, repeat a day or a step, interrupt it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.volatility.daily_stack import NEW_YORK, PREFIX, ROOT
from tests.services.volatility.service import Service

pytestmark = [pytest.mark.services, pytest.mark.timeout(3000)]
QUICK = {"volatility_run_poll_seconds": 0.5}


@pytest.fixture(scope="module")
def service(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One stack for the whole file; the third session after its history is none, by a day of mourning."""
    embedded_aws.reset()
    today = embedded_aws.now().astimezone(NEW_YORK).date()
    yield Service(embedded_aws, tmp_path_factory.mktemp("volatility"), 3, (str(mourning(today)),))
    embedded_aws.reset()


def mourning(today: date) -> date:
    """The Wednesday of the first week after the history, which ends three weeks before the last Friday."""
    yesterday = today - timedelta(days=1)
    last_friday = yesterday - timedelta(days=(yesterday.weekday() - 4) % 7)
    return last_friday - timedelta(days=16)


def gaps(service: Service) -> list[str]:
    """The weekdays between the sessions after the history that are none."""
    sessions = [date.fromisoformat(one) for one in (service.begin, *service.sessions_after(service.begin)[:10])]
    every = (sessions[0] + timedelta(days=count) for count in range((sessions[-1] - sessions[0]).days))
    return [str(one) for one in every if one.weekday() < 5 and one not in sessions]


def test_a_range_of_days_is_made_up_for_and_what_is_no_session_left_out(service: Service) -> None:
    [closed, *_] = gaps(service)
    after = next(one for one in service.sessions_after(service.begin) if one > closed)
    days = [one for one in service.sessions_after(service.begin) if one <= after and not service.uploads.sessions[one]]
    service.uploads.until(after)
    wanted = {"volatility_run_date": days[0], "volatility_run_last": after, **QUICK}

    preview = check("run_volatility", service, wanted)
    assert f"Would run the chain for {days[0]}, " in preview and not service.stack.executions()
    said = service.stack.play("run_volatility", **wanted)
    assert f"{closed} is no session of XNYS. Nothing was done. It is left out." in said
    for day in days:
        assert re.search(rf"{day}: \d+\.\d % a year by log-har-", said), said
    assert [one for one in service.stack.predicted() if one > service.begin] == days

    stored = service.stack.etags()
    said = service.stack.play("run_volatility", **wanted)
    assert said.count("was there already") == len(days) and service.stack.etags() == stored


def check(playbook: str, service: Service, variables: dict[str, Any]) -> str:
    """Preview a playbook; return what it printed."""
    words = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    done = start(playbook, service, "--check", *words)
    said, _ = done.communicate()
    assert done.returncode == 0, said
    return said


def start(playbook: str, service: Service, *words: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{playbook}.yml", *words]
    environment = os.environ | service.aws.env | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def test_a_day_that_is_none_or_not_over_is_refused(service: Service) -> None:
    before = service.stack.etags()
    [closed, *_] = gaps(service)
    for day, why in (
        (closed, f"{closed} is no session of XNYS. Nothing was done."),
        ("2018-12-08", "2018-12-08 is no session of XNYS. Nothing was done."),  # a Saturday
        (service.sessions_after(str(service.aws.now().date()))[1], "are not due yet. Nothing was done."),
        ("8 December", "a day is written as 2018-12-07."),
    ):
        said = service.stack.play("run_volatility", fails=True, volatility_run_date=day, **QUICK)
        assert why in said and "Traceback" not in said, said
        if day != "8 December":
            said = service.stack.play(
                "run_volatility", fails=True, volatility_run_date=day, volatility_run_step="infer"
            )
            assert why in said and "Traceback" not in said, said
    assert service.stack.etags() == before


def test_a_day_that_fails_says_where_and_why_and_its_steps_are_repeated_one_by_one(service: Service) -> None:
    last = service.stack.predicted()[-1]
    day = service.sessions_after(last)[0]
    said = service.stack.play("run_volatility", fails=True, volatility_run_date=day, **QUICK)
    assert f"{day}: the chain failed at Ingest: SourceLate: " in said, said
    assert f"SPX missing on the session that is due (uploaded has SPX until {last} only)" in said
    assert f"aws logs tail --region us-east-1 /aws/lambda/{PREFIX}-ingest --since 1h" in said
    assert f"Once that is mended: make volatility-run ARGS='-e volatility_run_date={day}'" in said
    assert "Traceback" not in said and day not in service.stack.predicted()

    service.uploads.until(day)
    for step, told in (
        ("ingest", f"has the prices of SPX up to {day}"),
        ("features", "features_daily: 1 sessions written"),
        ("infer", f"{day}: "),
        ("check", "Nothing is wrong."),
    ):
        said = service.stack.play("run_volatility", volatility_run_step=step, volatility_run_date=day)
        assert told in said, said
    assert service.stack.predicted()[-1] == day
    said = service.stack.play("run_volatility", fails=True, volatility_run_step="gate", volatility_run_date=day)
    assert f"{PREFIX}-gate failed: s3://" in said and f"has no training of {day}" in said, said


def test_who_interrupts_a_run_is_told_where_it_goes_on(service: Service) -> None:
    day = service.sessions_after(service.stack.predicted()[-1])[0]
    service.uploads.until(day)
    before = len(service.stack.executions())
    process = start("run_volatility", service, "-e", f"volatility_run_date={day}")
    assert process.stdout is not None
    said = ""
    while "goes on" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode != 0 and "Traceback" not in rest, rest
    [execution] = service.stack.executions()[before:]
    assert service.stack.ended(execution["executionArn"])["status"] == "SUCCEEDED"
    found = re.search(r"To look at it: (aws stepfunctions .*)", said)
    assert found and day in service.stack.predicted()
    words = shlex.split(found[1])
    shown = subprocess.run(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        env=os.environ | service.aws.env, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert '"status": "SUCCEEDED"' in shown

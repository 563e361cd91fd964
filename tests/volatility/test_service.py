"""The functions that the chain calls: one session from the event's time, typed errors, nothing done twice, metrics."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from chronos_training.core.errors import ConfigurationError
from chronos_volatility.calendar import get_calendar
from chronos_volatility.gate import champion
from chronos_volatility.ingest.rules import SourceDown, SourceLate
from chronos_volatility.service import lambdas, metrics
from chronos_volatility.service.session import Event, NoSession
from chronos_volatility.service.watch import refused_in_a_row
from chronos_volatility.storage import FolderStorage

FRIDAY = {"time": "2018-12-07T23:05:00Z"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStorage:
    """Half a year of the bundled prices."""
    monkeypatch.setenv("VOLATILITY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("VOLATILITY_ENVIRONMENT", "test")
    monkeypatch.setenv("VOLATILITY_SETTINGS", json.dumps({"first_session": "2018-06-01"}))
    return FolderStorage(tmp_path / "data")


def call(step: str, event: dict[str, Any]) -> dict[str, Any]:
    """Call a function as Lambda does: its answer must be JSON."""
    found = getattr(lambdas, step)(event, None)
    assert json.loads(json.dumps(found)) == found
    return found


def plan(**event: Any) -> dict[str, Any]:
    return call("ingest", {"ask": "session", **event})


@pytest.mark.parametrize(
    ("time", "date", "train"),
    [
        ("2018-12-07T18:05-05:00", "2018-12-07", True),  # a Friday evening
        ("2018-12-08T07:00-05:00", "2018-12-07", True),  # its second chance
        ("2018-12-06T18:05-05:00", "2018-12-06", False),
        ("2018-11-23T18:05-05:00", "2018-11-23", True),  # closed early, on a Friday
        ("2018-11-22T18:05-05:00", "", False),  # Thanksgiving
        ("2018-11-23T07:00-05:00", "", False),  # and the morning after
        ("2018-12-05T18:05-05:00", "", False),  # the day of mourning
        ("2018-12-09T18:05-05:00", "", False),  # a Sunday
        ("2018-07-05T18:05-04:00", "2018-07-05", False),  # in summer time
    ],
)
def test_the_events_time_decides_the_session(data: FolderStorage, time: str, date: str, train: bool) -> None:
    found = plan(time=time)
    assert (found["session"], found["date"], found["train"]) == (bool(date), date, train)


def test_until_when_a_source_is_waited_for(data: FolderStorage) -> None:
    assert plan(time="2018-12-06T18:05-05:00")["deadline"] == "2018-12-07T12:30:00Z"
    assert plan(time="2018-12-10T00:00Z", date="2018-12-03", train=True) == {
        "time": "2018-12-10T00:00:00Z", "session": True, "reason": "", "date": "2018-12-03",
        "train": True, "due": "2018-12-04T13:00:00Z", "deadline": "2018-12-04T12:30:00Z", "last_wait": "2018-12-04T12:30:00Z",
        "forecast_first": "2018-12-04T08:30:00Z",
    }  # fmt: skip
    found = plan(time="2018-12-06T18:05-05:00", wait_seconds=900)
    assert (found["deadline"], found["last_wait"]) == ("2018-12-07T12:30:00Z", "2018-12-07T12:15:00Z")
    assert not plan(time="2018-12-10T00:00Z", date="2018-12-05")["session"]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"time": "2018-12-10T00:00Z", "date": "2018-12-05"}, "2018-12-05 is no session of XNYS. Nothing was done."),
        ({"time": "2018-12-10T00:00Z", "date": "2018-12-08"}, "2018-12-08 is no session of XNYS. Nothing was done."),
        ({"time": "2018-12-10T00:00Z", "date": "2018-12-10"}, "The prices of 2018-12-10 are not due yet. Nothing was done."),
        ({"time": "2018-12-09T18:05-05:00"}, "The forecast after 2018-12-07, the last session, was due at 2018-12-08 13:00 UTC."),
    ],
)  # fmt: skip
def test_why_there_is_nothing_to_do_is_said(data: FolderStorage, event: dict[str, Any], why: str) -> None:
    found = plan(**event)
    assert (found["session"], found["why"]) == (False, why)


def test_a_person_who_comes_late_still_means_the_last_session(data: FolderStorage) -> None:
    late = {"time": "2018-12-08T08:01-05:00"}
    assert not plan(**late)["session"]
    assert plan(**late, overdue=True)["date"] == "2018-12-07"
    # AWS's time may be ahead of the one who asks.
    assert plan(time="2018-12-07T12:00Z", now="2018-12-10T00:00Z", date="2018-12-07")["session"]


def test_a_step_refuses_a_day_that_is_no_session(data: FolderStorage) -> None:
    call("ingest", FRIDAY)
    for step in ("ingest", "features", "gate", "infer"):
        with pytest.raises(NoSession, match="2018-12-05 is no session of XNYS"):
            call(step, {**FRIDAY, "date": "2018-12-05"})


def test_events_that_cannot_be_meant(data: FolderStorage) -> None:
    for event in ({}, {"time": "yesterday"}, {"time": "2018-12-07T18:05"}, {**FRIDAY, "date": "12/07/2018"}):
        with pytest.raises(ConfigurationError, match=r"is not a|has no"):
            call("infer", event)


def test_a_check_looks_at_the_session_that_was_named() -> None:
    calendar = get_calendar()
    asked = Event.of({"time": "2020-01-01T00:00Z", "date": "2018-12-07"})
    assert asked.looked_at(calendar) == datetime(2018, 12, 8, 13, tzinfo=timezone.utc)


def test_a_day_is_done_once(data: FolderStorage, capsys: pytest.CaptureFixture[str]) -> None:
    steps = ("ingest", "features")
    for step in steps:
        call(step, FRIDAY)
    keys = data.keys("")
    assert sum(key.startswith("features_daily/") for key in keys) > 60
    printed = capsys.readouterr().out
    assert "has the prices of SPX up to 2018-12-07" in printed
    for step in steps:
        call(step, {"time": "2018-12-08T12:00:00Z"})
    assert data.keys("") == keys
    assert call("gate", {**FRIDAY, "ask": "due"}) == {"due": True}


def test_a_source_that_ends_is_late(data: FolderStorage) -> None:
    call("ingest", FRIDAY)
    with pytest.raises(SourceLate, match="row 2018-12-10: SPX missing on the session that is due"):
        call("ingest", {"time": "2018-12-10T18:05-05:00"})


def upload(data: FolderStorage, symbol: str, *days: str) -> None:
    rows = [f"{day},100,101,99,{100 + number / 10}" for number, day in enumerate(days)]
    path = data.folder / f"uploads/{symbol}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["date,open,high,low,close", *rows]))


def test_uploaded_prices_may_be_late_or_missing(data: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"first_session": "2018-12-03", "sources": ["uploaded"], "required": ["SPX"], "optional": []}
    monkeypatch.setenv("VOLATILITY_SETTINGS", json.dumps(settings))
    with pytest.raises(SourceDown, match=r"SPX missing on the session that is due \(.*uploads/SPX.csv is not there"):
        call("ingest", FRIDAY)
    upload(data, "SPX", "2018-12-03", "2018-12-04", "2018-12-06")
    with pytest.raises(SourceLate, match=r"SPX missing on the session that is due \(uploaded has SPX until 2018-12-06"):
        call("ingest", FRIDAY)
    assert not data.keys("raw.market")
    upload(data, "SPX", "2018-12-03", "2018-12-04", "2018-12-06", "2018-12-07")
    assert call("ingest", FRIDAY)["date"] == "2018-12-07"
    (data.folder / "uploads/SPX.csv").write_text("date,open,high,low,close\n2018-12-10,100,99,101,100\n")
    with pytest.raises(SourceDown, match="2018-12-10"):
        call("ingest", {"time": "2018-12-10T23:05:00Z"})


def test_what_breaks_a_contract_has_a_name(data: FolderStorage) -> None:
    call("ingest", FRIDAY)
    with pytest.raises(lambdas.ContractBroken, match="features_daily has no row of 2018-12-07"):
        call("infer", FRIDAY)
    with pytest.raises(lambdas.ContractBroken, match="has no training"):
        call("gate", FRIDAY)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]


def test_metrics_are_those_of_the_format(data: FolderStorage, capsys: pytest.CaptureFixture[str]) -> None:
    call("ingest", FRIDAY)
    capsys.readouterr()
    found = call("check", {"time": "2018-12-11T13:00:00Z", "now": "2026-01-01T00:00:00Z"})
    assert found["PredictionPresent"] == 0 and found["SourceLagSessions"] == 1
    first, last = lines(capsys.readouterr().out)
    assert first["_aws"]["Timestamp"] == 1767225600000 and first["Environment"] == "test"
    [directive] = first["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Volatility" and directive["Dimensions"] == [["Environment"]]
    assert {one["Name"]: one["Unit"] for one in directive["Metrics"]} == {
        name: unit for name, unit in metrics.UNITS.items() if name not in ("CanaryFailed", "StepSeconds")
    }
    assert all(first[one["Name"]] == found[one["Name"]] for one in directive["Metrics"])
    assert last["Step"] == "check" and last["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Environment", "Step"]]


def test_refusals_in_a_row_are_counted(data: FolderStorage) -> None:
    assert refused_in_a_row(data) == 0
    for day, action in (("01", "keep"), ("08", "promote"), ("15", "keep"), ("22", "keep")):
        data.create(f"gate/2018-06-{day}-abc.json", json.dumps({"action": action}).encode())
    data.create("gate/2018-06-08-abc-canary.json", b"{}")
    assert refused_in_a_row(data) == 2


def test_a_week_that_is_made_up_for_does_not_judge_a_later_one(
    data: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("ingest", FRIDAY)
    data.create("training_runs/2018-12-07-00000000.json", b"{}")
    earlier = {**FRIDAY, "date": "2018-11-30"}
    assert call("gate", {**earlier, "ask": "due"}) == {"due": False}
    found = call("gate", earlier)
    assert (found["action"], found["serves"]) == ("keep", None)
    assert found["reason"] == "2018-12-07-00000000 is a later training than that of 2018-11-30, and decides"
    assert not data.keys("gate/")


def test_a_person_promotes_and_rolls_back(data: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champion.artifact, "load", lambda _storage, version: version)
    for version in ("a", "b"):
        assert call("gate", {**FRIDAY, "promote": version, "reason": "hotfix"}) == {"serves": version, "new": True}
    assert call("gate", {**FRIDAY, "promote": "b"}) == {"serves": "b", "new": False}
    assert call("gate", {**FRIDAY, "rollback": "", "reason": "it is worse"}) == {"serves": "a"}
    history = champion.current(data).history
    assert [one.reason for one in history] == ["hotfix", "hotfix", "it is worse"]

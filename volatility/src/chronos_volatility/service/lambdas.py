"""The functions that the chain calls, one for each light step. An event says when it was to run; the answer, what was done.

Each may be called again: what is done is found done. The chain acts by the names of exceptions: SourceLate and SourceDown
(wait, and try again), ContractBroken (nothing of this is stored), Unreachable (a service did not answer).
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd

from chronos_training.core import aws
from chronos_training.core.clock import iso
from chronos_training.core.errors import DataError, TrainingError
from chronos_volatility import cli
from chronos_volatility import settings as settings_of
from chronos_volatility.calendar import Calendar, get_calendar
from chronos_volatility.gate import champion
from chronos_volatility.gate.decision import KEEP
from chronos_volatility.ingest.rules import SourceDown, SourceLate
from chronos_volatility.service import metrics
from chronos_volatility.service.session import Event, NoSession
from chronos_volatility.settings import PROFILES, Settings
from chronos_volatility.steps.options import PLACE
from chronos_volatility.storage import Storage, open_storage

PROFILE, SETTINGS, FRED_SECRET = "VOLATILITY_PROFILE", "VOLATILITY_SETTINGS", "VOLATILITY_FRED_SECRET"
Answer = dict[str, Any]


class ContractBroken(TrainingError):
    """Data or a model are not what they must be. Trying again does not help."""

    code = "data_invalid"


def _step(work: Callable[[Event], Answer]) -> Callable[[dict[str, Any], object], Answer]:
    """Make a function of Lambda of `work`: it reads the event, names what went wrong, and says how long it took."""

    @wraps(work)
    def handler(event: dict[str, Any], _context: object) -> Answer:
        asked, begun = Event.of(event), time.perf_counter()
        try:
            return work(asked)
        except (SourceLate, SourceDown):
            raise
        except DataError as error:
            raise ContractBroken(error.message, hint=error.hint) from error
        finally:
            metrics.put({"StepSeconds": time.perf_counter() - begun}, asked.now, step=work.__name__)

    return handler


@_step
def ingest(asked: Event) -> Answer:
    """Fetch the prices up to the session. `{"ask": "session"}`: say only which session it is, and what is due on it."""
    settings = _settings(_storage())
    calendar = get_calendar(settings.calendar, settings.closed)
    if asked.given.get("ask") == "session":
        return _what_is_due(asked, calendar)
    session = asked.required_session(calendar)
    with _settings_file() as more:
        words = ("--profile", _profile(), *more, "--until", _text(session))
        said = _run(asked, "ingest", *words, *_reason(asked))
    return {"date": _text(session), "said": said}


@_step
def features(asked: Event) -> Answer:
    """Compute features, and the labels that are known now. With a reason, all of them again."""
    settings = settings_of.of(_storage())
    asked.required_session(get_calendar(settings.calendar, settings.closed))  # a day that was named wrongly is told
    return {"said": [*_run(asked, "features", *_reason(asked)), *_run(asked, "labels", *_reason(asked))]}


@_step
def gate(asked: Event) -> Answer:
    """Decide which model serves, by the session's training; without a date, by the last one.

    `{"ask": "due"}`: say whether the session's training is still to be done. `{"promote": VERSION}` and
    `{"rollback": VERSION or ""}` are a person's decisions.
    """
    from chronos_volatility.gate.run import judge
    from chronos_volatility.models import training

    storage = _storage()
    if (version := asked.given.get("promote")) is not None:
        return _promote(storage, version, asked)
    if (version := asked.given.get("rollback")) is not None:
        back = champion.rollback(storage, to=version or None, reason=asked.reason or "by hand", now=asked.now)
        return {"serves": back}
    settings = settings_of.of(storage)
    session = _text(asked.required_session(get_calendar(settings.calendar, settings.closed)))
    later = [name for name in training.runs(storage) if training.cut_of(name) > session]
    if asked.given.get("ask") == "due":
        recipe = training.recipe()
        done = [name for name in training.runs(storage) if training.cut_of(name) == session]
        return {"due": not later and not any(training.load(storage, name).recipe == recipe for name in done)}
    if later and asked.date is not None:
        # A week that is made up for: a model that knows less must not take the place of one that knows more.
        return _kept(storage, f"{later[-1]} is a later training than that of {session}, and decides")
    name = training.latest(storage, None if asked.date is None else session)
    found = judge(storage, name, now=asked.now)
    failed = found.canary is not None and not found.canary["passed"]
    metrics.put({"CanaryFailed": float(failed)}, asked.now)
    record = found.record
    present = champion.current(storage)
    return {
        "training": name,
        "action": record["action"],
        "chosen": record["chosen"],
        "reason": record["reason"],
        "refused": [one["words"] for one in record["checks"] if not one["passed"]] if record["action"] == KEEP else [],
        "new": found.new,
        "canary_failed": failed,
        "serves": present.version if present else None,
    }


@_step
def infer(asked: Event) -> Answer:
    """Forecast the five sessions after the session."""
    settings = settings_of.of(_storage())
    session = _text(asked.required_session(get_calendar(settings.calendar, settings.closed)))
    return {"date": session, "said": _run(asked, "infer", "--date", session)}


@_step
def check(asked: Event) -> Answer:
    """Say whether the last sessions are whole, sound and fresh, and measure it. The watchdog's function as well."""
    from chronos_volatility.service.watch import measure
    from chronos_volatility.steps.check import check as look

    storage = _storage()
    settings = settings_of.of(storage)
    calendar = get_calendar(settings.calendar, settings.closed)
    moment = asked.looked_at(calendar)
    values = measure(storage, calendar, moment)
    metrics.put(values, asked.now)
    facts, problems = look(storage, settings, moment, recent=True)
    for words in (*facts, *(f"PROBLEM: {problem}" for problem in problems)):
        print(words)
    return {"sound": not problems, "problems": problems, **values}


def _what_is_due(asked: Event, calendar: Calendar) -> Answer:
    """Return the day's plan, which the chain follows."""
    plan: Answer = {"time": iso(asked.time), "reason": asked.reason or ""}
    try:
        session = asked.session(calendar)
    except NoSession as error:
        return plan | {"session": False, "why": str(error), "date": "", "train": False}
    train = bool(asked.given.get("train")) or calendar.is_last_of_week(session)
    moments = {name: iso(moment) for name, moment in asked.moments(calendar, session).items()}
    return plan | moments | {"session": True, "date": _text(session), "train": train}


def _kept(storage: Storage, why: str) -> Answer:
    """Return the answer of a gate that had nothing to judge."""
    present = champion.current(storage)
    return {
        "training": None, "action": KEEP, "chosen": None, "reason": why, "refused": [], "new": False,
        "canary_failed": False, "serves": present.version if present else None,
    }  # fmt: skip


def _promote(storage: Storage, version: str, asked: Event) -> Answer:
    present = champion.current(storage)
    new = champion.promote(
        storage, version, action="promote", reason=asked.reason or "by hand", now=asked.now,
        expected=present.version if present else None,
    )  # fmt: skip
    return {"serves": version, "new": new}


def _run(asked: Event, step: str, *words: str) -> list[str]:
    """Run a step as its command line does, and return what it said; the log has it as well."""
    options = cli.parser(step).parse_args([step, "--now", iso(asked.now), *words])
    said = _Both(sys.stdout)
    with redirect_stdout(said):
        options.run(options)
    return said.getvalue().splitlines()


class _Both(io.StringIO):
    """Keeps what is written, and passes it on."""

    def __init__(self, other: Any) -> None:
        super().__init__()
        self._other = other

    def write(self, text: str) -> int:
        self._other.write(text)
        return super().write(text)


def _reason(asked: Event) -> tuple[str, ...]:
    return ("--reason", asked.reason) if asked.reason else ()


def _storage() -> Storage:
    return open_storage(os.environ[PLACE])


def _profile() -> str:
    return os.environ.get(PROFILE, "offline")


def _settings(storage: Storage) -> Settings:
    """Return the storage's settings; before the first ingest, those that it will have."""
    base = settings_of.stored(storage) or PROFILES[_profile()]
    return settings_of.parse((os.environ.get(SETTINGS) or "{}").encode(), SETTINGS, base)


@contextmanager
def _settings_file() -> Iterator[tuple[str, ...]]:
    """Give the settings of the environment as the options of a command line, and FRED's key if a secret has it."""
    if secret := os.environ.get(FRED_SECRET):
        found = aws.client("secretsmanager").get_secret_value(SecretId=secret)
        os.environ["FRED_API_KEY"] = found["SecretString"]
    text = os.environ.get(SETTINGS)
    if not text:
        yield ()
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        yield ("--settings", str(Path(file.name)))


def _text(day: pd.Timestamp) -> str:
    return f"{day:%Y-%m-%d}"

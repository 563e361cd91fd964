"""Locust's figures against limits, and what is said when there are none. A program in Locust's place prints them."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.volatility import load_test
from chronos_training.control.volatility.load_test import Load, measured
from chronos_training.core.errors import TrainingError

URL, KEY = "https://example.org/v1", "k" * 20


def entry(name: str, failures: int, **times: int) -> dict[str, Any]:
    """What Locust's --json says of one kind of request; `ms100=3` is three answers within 100 ms."""
    found = {str(float(word.removeprefix("ms"))): count for word, count in times.items()}
    return {
        "name": name,
        "num_requests": sum(times.values()),
        "num_failures": failures,
        "response_times": found,
    }


def locust(folder: Path, code: str) -> str:
    """A package `locust` that does `code`; returns the folder that has it."""
    package = folder / "locust"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(f"import json, os, sys, time\n{code}\n")
    return str(folder)


def measure(packages: str, **limits: Any) -> load_test.Measured:
    load = Load(**{"users": 3, "seconds": 1, "p95_milliseconds": 2000, "error_percent": 0, **limits})
    return load_test.measure(load, URL, KEY, "locustfile.py", packages)


def test_all_kinds_of_requests_are_taken_together() -> None:
    found = measured([entry("/predict", 1, ms100=10, ms200=9), entry("/info", 0, ms100=80, ms3000=1)])
    assert (found.requests, found.errors) == (100, 1)
    assert (found.p50_milliseconds, found.p95_milliseconds) == (100, 200)
    assert found.lines() == [
        "100 requests, 1 errors",
        "half of the answers within 100 ms, 95 % within 200 ms",
        "/predict: 19 requests, 1 errors",
        "/info: 81 requests, 0 errors",
    ]


@pytest.mark.parametrize(("slow", "p95"), [(0, 10), (4, 10), (5, 10), (6, 5000), (100, 5000)])
def test_the_95th_percentile_is_the_time_that_95_of_100_answers_kept(slow: int, p95: int) -> None:
    times = {f"ms{time}": count for time, count in ((10, 100 - slow), (5000, slow)) if count}
    assert measured([entry("/", 0, **times)]).p95_milliseconds == p95


def test_nothing_was_measured_in_nothing() -> None:
    assert measured([]) == load_test.Measured(0, 0, 0, 0, ())


def test_the_load_is_what_was_asked_for_and_the_key_is_on_no_command_line(tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    answer = json.dumps([entry("/predict", 0, ms20=5)])
    code = (
        f"json.dump([sys.argv[1:], os.environ['VOLATILITY_API_KEY'], os.environ['VOLATILITY_API_SESSION']], open({str(seen)!r}, 'w'))\n"
        f"print('[2026-11-30] started'[:0] + {answer!r})"
    )
    assert measure(locust(tmp_path, code), users=7, seconds=9, session="2018-12-07").requests == 5
    words, key, session = json.loads(seen.read_text())
    assert (key, session) == (KEY, "2018-12-07") and KEY not in " ".join(words)
    options = dict(itertools.pairwise(words))
    assert (options["--host"], options["--users"], options["--run-time"]) == (URL, "7", "9s")
    assert options["--locustfile"] == "locustfile.py" and "--headless" in words


@pytest.mark.parametrize(
    ("entries", "limits", "said"),
    [
        ([entry("/", 0, ms2001=100)], {}, "95 % of the answers took up to 2001 ms, not 2000 ms."),
        ([entry("/", 1, ms1=100)], {}, "1 of 100 requests failed."),
        ([entry("/", 2, ms1=100)], {"error_percent": 1.0}, "2 of 100 requests failed."),
        ([], {}, "It answered no request."),
    ],
)
def test_above_a_limit_it_fails_and_tells_everything(
    tmp_path: Path, entries: list[dict[str, Any]], limits: dict[str, Any], said: str
) -> None:
    with pytest.raises(TrainingError, match="is above its limits") as caught:
        measure(locust(tmp_path, f"print({json.dumps(entries)!r})"), **limits)
    assert said in str(caught.value) and URL in str(caught.value)
    assert caught.value.facts["lines"] == measured(entries).lines()


def test_at_its_limits_it_passes(tmp_path: Path) -> None:
    found = [entry("/", 1, ms2000=100)]
    assert measure(locust(tmp_path, f"print({json.dumps(found)!r})"), error_percent=1.0).errors == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("sys.exit('no module named gevent')", "no module named gevent"),
        ("print('[no JSON')", "[no JSON"),
        ("print('no list')", "no list"),
    ],
)
def test_where_locust_measures_nothing_its_last_words_are_told(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(TrainingError, match="Locust measured nothing") as caught:
        measure(locust(tmp_path, code))
    assert said in str(caught.value)


def test_a_locust_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_test, "_GRACE", 0)
    code = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    with pytest.raises(TrainingError, match="did not end"):
        measure(locust(tmp_path, code), seconds=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

"""What the check makes of each answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chronos_training.control.volatility import smoke
from chronos_training.core.errors import ConfigurationError, TrainingError
from tests.unit.control.volatility.site import Reply, Request, serving

FORECAST = {
    "as_of_date": "2018-12-07",
    "rv_5d_hat": 0.0213,
    "annualized": 0.1512,
    "top_drivers": [],
    "model_version": "m",
    "stale": False,
}
WELL: dict[str, Reply] = {
    "/health": (200, {"status": "ok"}),
    "/ready": (200, {"status": "ready", "model_version": "m"}),
    "/info": (200, {"model_version": "m", "features": [], "as_of_date": "2018-12-07"}),
    "/predict": (200, FORECAST),
}
REFUSED: Reply = (403, {"error": "forbidden", "message": "Send a key."})


def check(session: str = "", refused: Reply = REFUSED, **otherwise: Any) -> tuple[smoke.Checked, list[Request]]:
    """The check of an API that answers well, but for paths named without their slash."""
    answers = WELL | {f"/{path}": answer for path, answer in otherwise.items()}
    keyed = {"/info", "/predict"}

    def reply(request: Request) -> Reply:
        return answers[request.path] if request.key == "key" or request.path not in keyed else refused

    with serving(reply) as (url, asked):
        return smoke.check(url, "key", session), asked


def test_each_path_is_asked_once_and_predict_without_a_key_as_well() -> None:
    found, asked = check()
    assert [(one.method, one.path, one.key) for one in asked] == [
        ("GET", "/health", None),
        ("GET", "/ready", None),
        ("GET", "/info", "key"),
        ("POST", "/predict", "key"),
        ("POST", "/predict", None),
    ]
    assert [line.split(" in ")[0] for line in found.lines[:4]] == [f"{path}: 200" for path in WELL]
    assert found.lines[3].endswith(" ms, 0.0213 (15.1 % a year) after 2018-12-07 by m")
    assert found.lines[4] == "/predict without a key: 403"
    assert found.forecast == FORECAST and json.loads(asked[3].body) == {}


def test_a_session_can_be_named() -> None:
    _, asked = check("2018-12-07")
    assert json.loads(asked[3].body) == {"as_of_date": "2018-12-07"}
    with pytest.raises(ConfigurationError, match="'7 December' is no session"):
        smoke.check("http://127.0.0.1:1", "key", "7 December")


def test_a_late_forecast_is_said_to_be_late() -> None:
    found, _ = check(predict=(200, FORECAST | {"stale": True}))
    assert found.lines[3].endswith("by m, and a later one is due")


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ({"health": (502, {"message": "Internal server error"})}, "/health answered 502: Internal server error"),
        ({"ready": (503, {"message": "No model."})}, "/ready answered 503: No model."),
        ({"info": (200, {"features": []})}, "/info answered without model_version, as_of_date."),
        ({"predict": (200, [])}, "/predict answered without as_of_date, rv_5d_hat, "),
        ({"predict": (200, b"no JSON")}, "/predict answered without as_of_date"),
        ({"refused": (200, FORECAST)}, "/predict without a key answered 200, not 403"),
    ],
)
def test_what_answers_otherwise_is_named_and_everything_else_is_told(otherwise: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match="does not answer as it should") as caught:
        check(**otherwise)
    assert said in str(caught.value), caught.value
    assert len(caught.value.facts["answers"]) == 5


def test_an_api_that_is_not_there() -> None:
    with pytest.raises(TrainingError) as caught:
        smoke.check("http://127.0.0.1:1", "key")
    assert "/health answered nothing: no answer: " in str(caught.value)
    assert "/predict without a key answered nothing, not 403" in str(caught.value)

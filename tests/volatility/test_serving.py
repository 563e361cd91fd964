"""The API, as Lambda calls it: events of API Gateway in, answers out, on a folder that the daily steps have filled."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chronos_volatility import tables
from chronos_volatility.gate import champion
from chronos_volatility.models import artifact
from chronos_volatility.serving import app as app_module
from chronos_volatility.serving import predictions
from chronos_volatility.storage import FolderStorage
from tests.volatility.test_model_steps import command, done  # noqa: F401 (a fixture)

SESSION = "2018-12-07"
NOW = datetime(2018, 12, 10, 12, tzinfo=timezone.utc)
OPENAPI = json.loads((Path(app_module.__file__).parent / "openapi.json").read_text())


@pytest.fixture
def storage(done, tmp_path, monkeypatch) -> FolderStorage:  # noqa: F811
    """What the API reads of the folder, copied, and the API of this process answers from it."""
    large = shutil.ignore_patterns("raw.*", "curated.*", "labels_daily", "training_sets", "walk_forward")
    shutil.copytree(done.folder, tmp_path / "copy", ignore=large, copy_function=os.link)
    for path in (tmp_path / "copy").rglob("*.json"):  # a test may change it
        body = path.read_bytes()
        path.unlink()
        path.write_bytes(body)
    copy = FolderStorage(tmp_path / "copy")
    monkeypatch.setenv(app_module.PLACE, str(copy.folder))
    monkeypatch.delenv(champion.PIN, raising=False)
    monkeypatch.setattr(app_module, "utc_now", lambda: NOW)
    app_module.service.cache_clear()
    yield copy
    app_module.service.cache_clear()


def call(method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    from mangum import Mangum

    text = body if isinstance(body, str) or body is None else json.dumps(body)
    event = {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"content-type": "application/json", "host": "api"},
        "multiValueHeaders": {"content-type": ["application/json"], "host": ["api"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "v1", "identity": {"sourceIp": "127.0.0.1"}, "httpMethod": method, "path": path},
        "body": text,
        "isBase64Encoded": False,
    }
    answer = Mangum(app_module.app, lifespan="off")(event, None)
    assert answer["headers"]["cache-control"] == "no-store"
    return answer["statusCode"], json.loads(answer["body"])


def checked(method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """As `call`, and the answer is one that openapi.json describes."""
    status, answer = call(method, path, body)
    described = OPENAPI["paths"][path][method.lower()]["responses"][str(status)]
    schema = described["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**_plain(schema), "components": _plain(OPENAPI["components"])})
    return status, answer


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0's nullable, in JSON schema's words."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable"):
        found["type"] = [schema["type"], "null"]
    return found


def features(storage: FolderStorage) -> dict[str, float]:
    model = artifact.load(storage, champion.serving(storage, {}))
    row = tables.read(storage, tables.FEATURES, first=SESSION, last=SESSION).iloc[0]
    return {name: float(row[name]) for name in model.forecaster.names}


def test_without_anything_the_last_session_is_answered(storage):
    status, answer = checked("POST", "/predict", {})
    stored = tables.read(storage, tables.PREDICTIONS).iloc[-1]
    assert status == 200
    assert (answer["as_of_date"], answer["stale"]) == (SESSION, False)
    assert answer["rv_5d_hat"] == stored["rv_5d_hat"]
    assert answer["top_drivers"] == list(stored["top_drivers"])
    assert answer["regime"] is answer["regime_probabilities"] is None
    assert math.isclose(sum(one["contribution"] for one in answer["drivers"]), math.log(answer["rv_5d_hat"]))


def test_an_empty_body_asks_the_same(storage):
    assert call("POST", "/predict")[1] == call("POST", "/predict", {})[1] == call("POST", "/predict", "")[1]


def test_a_sessions_own_features_give_its_stored_forecast(storage):
    asked = {"as_of_date": SESSION, "feature_vector": features(storage)}
    status, answer = checked("POST", "/predict", asked)
    assert (status, answer["as_of_date"]) == (200, SESSION)
    stored = checked("POST", "/predict", {"as_of_date": SESSION})[1]
    assert math.isclose(answer["rv_5d_hat"], stored["rv_5d_hat"], rel_tol=1e-12)
    assert [one["feature"] for one in answer["drivers"]] == [one["feature"] for one in stored["drivers"]]


def test_features_without_a_date_are_labelled_with_none(storage):
    assert checked("POST", "/predict", {"feature_vector": features(storage)})[1]["as_of_date"] is None


def test_a_day_without_a_forecast_names_the_nearest(storage):
    status, answer = checked("POST", "/predict", {"as_of_date": "2018-12-09"})
    assert status == 404
    assert answer["message"] == "There is no forecast of 2018-12-09. The nearest session with one is 2018-12-07."
    assert "2018-12-07" in checked("POST", "/predict", {"as_of_date": "1999-12-31"})[1]["message"]


@pytest.mark.parametrize(
    ("now", "status", "stale"),
    [
        ("2018-12-08T12:59", 200, False),  # a minute before the forecast after Friday is due, in New York
        ("2018-12-11T12:59", 200, False),  # that of Monday is due at 13:00 UTC on Tuesday
        ("2018-12-11T13:01", 200, True),
        ("2018-12-15T13:01", 200, True),  # five sessions
        ("2018-12-18T13:01", 503, None),  # six
    ],
)
def test_how_old_the_last_forecast_may_be(storage, monkeypatch, now, status, stale):
    moment = datetime.fromisoformat(now).replace(tzinfo=timezone.utc)
    monkeypatch.setattr(app_module, "utc_now", lambda: moment)
    found, answer = checked("POST", "/predict", {})
    assert (found, answer.get("stale")) == (status, stale)
    if status == 503:
        assert answer["error"] == "stale" and "2018-12-07" in answer["message"]
    assert checked("POST", "/predict", {"as_of_date": SESSION})[0] == 200


WRONG: list[tuple[str, Any, str]] = [
    ("no JSON", "{", "not JSON"),
    ("only a brace too many", "{}}", "not JSON"),
    ("a list", [], "JSON object"),
    ("a text", '"2018-12-07"', "JSON object"),
    ("a number", "3", "JSON object"),
    ("null", "null", "JSON object"),
    ("nested without end", "[" * 20000, "not JSON"),
    ("an unknown field", {"date": SESSION}, "'date'"),
    ("a field in another case", {"As_Of_Date": SESSION}, "As_Of_Date"),
    ("a number as a date", {"as_of_date": 20181207}, "must be a date"),
    ("a list as a date", {"as_of_date": [SESSION]}, "must be a date"),
    ("a date and a time", {"as_of_date": "2018-12-07T00:00"}, "must be a date"),
    ("an American date", {"as_of_date": "12/07/2018"}, "must be a date"),
    ("a month too many", {"as_of_date": "2018-13-07"}, "not a date"),
    ("a day too many", {"as_of_date": "2018-02-30"}, "not a date"),
    ("a week date", {"as_of_date": "2018-W49-5"}, "must be a date"),
    ("an empty date", {"as_of_date": ""}, "must be a date"),
    ("a path as a date", {"as_of_date": "../../etc/"}, "must be a date"),
    ("features as a list", {"feature_vector": [1, 2, 3]}, "must be an object"),
    ("features as a text", {"feature_vector": "all"}, "must be an object"),
    ("no features", {"feature_vector": {}}, "lacks"),
    ("one feature of all", {"feature_vector": {"ln_parkinson_1": -9.0}}, "lacks"),
]


@pytest.mark.parametrize(("body", "said"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_wrong_request_is_told_what_is_wrong(storage, body, said):
    status, answer = checked("POST", "/predict", body)
    assert status == 422
    assert said in answer["message"] and answer["message"].endswith((".", "!"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "must be a number"),
        ("3", "must be a number"),
        (True, "must be a number"),
        ([1], "must be a number"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (-math.inf, "finite"),
        (10**400, "finite"),
        (1e300, "no feature is larger"),
        (-1e9, "no feature is larger"),
    ],
)
def test_a_wrong_feature_is_told_by_its_name(storage, value, said):
    given = features(storage)
    name = next(iter(given))
    status, answer = checked("POST", "/predict", {"feature_vector": given | {name: value}})
    assert status == 422
    assert name in answer["message"] and said in answer["message"]


def test_a_value_far_outside_of_what_was_seen_is_a_mistake(storage):
    forecaster = artifact.load(storage, champion.serving(storage, {})).forecaster
    limited = [
        (name, high + 4 * (high - low))
        for name, low, high in zip(forecaster.linear.names, forecaster.linear.low, forecaster.linear.high, strict=True)
        if math.isfinite(high - low)
    ]
    for name, value in limited:
        status, answer = checked("POST", "/predict", {"feature_vector": features(storage) | {name: value}})
        assert (status, "what was seen" in answer["message"]) == (422, True)


@pytest.mark.parametrize("value", [2.1, 900.0, -30.1, -900.0])
def test_no_variance_has_such_a_logarithm(storage, value):
    names = [name for name in features(storage) if "ln_" in name]
    for name in names:
        status, answer = checked("POST", "/predict", {"feature_vector": features(storage) | {name: value}})
        assert (status, name in answer["message"], "a day's variance" in answer["message"]) == (422, True, True)
    assert len(names) > 2


def test_a_feature_that_the_model_does_not_use_is_told(storage):
    given = features(storage) | {"moon_phase": 0.5}
    status, answer = checked("POST", "/predict", {"feature_vector": given})
    assert (status, "moon_phase" in answer["message"]) == (422, True)


def test_a_body_that_is_too_large_is_refused(storage):
    status, answer = checked("POST", "/predict", {"feature_vector": {"x" * 70000: 1}})
    assert (status, "64 KiB" in answer["message"]) == (422, True)


def test_other_paths_and_methods(storage):
    assert call("GET", "/nowhere")[0] == 404
    assert call("GET", "/predict")[0] == 405
    assert call("DELETE", "/info")[0] == 405


def test_health_looks_at_nothing_and_ready_at_the_model(storage):
    assert checked("GET", "/health") == (200, {"status": "ok"})
    version = champion.serving(storage, {})
    assert checked("GET", "/ready") == (200, {"status": "ready", "model_version": version})
    shutil.rmtree(storage.folder / "artifacts")
    app_module.service.cache_clear()
    assert checked("GET", "/health")[0] == 200
    status, answer = checked("GET", "/ready")
    assert (status, answer["error"]) == (503, "no_model")
    assert checked("POST", "/predict", {"feature_vector": {"a": 1}})[0] == 503
    assert checked("POST", "/predict", {"as_of_date": SESSION})[0] == 200  # stored forecasts need no model


def test_a_model_that_forecasts_something_else_is_not_ready(storage):
    version = champion.serving(storage, {})
    path = storage.folder / artifact.PREFIX / version / "golden.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"rv_5d_hat": stored["rv_5d_hat"] * 1.001}))
    status, answer = checked("GET", "/ready")
    assert status == 503 and version in answer["message"]


def test_info_says_what_serves(storage):
    status, answer = checked("GET", "/info")
    assert status == 200
    assert answer["model_version"] == champion.serving(storage, {})
    assert answer["serving_since"] == champion.current(storage).history[-1].since
    assert (answer["as_of_date"], answer["sessions_behind"]) == (SESSION, 0)
    assert answer["features"] == list(features(storage))


def test_before_anything_is_there_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv(app_module.PLACE, str(tmp_path))
    app_module.service.cache_clear()
    for method, path in (("POST", "/predict"), ("GET", "/ready"), ("GET", "/info")):
        assert checked(method, path)[0] == 503
    assert checked("POST", "/predict", {"as_of_date": SESSION})[0] == 404
    app_module.service.cache_clear()


def test_another_champion_serves_within_a_minute_and_a_pin_at_once(storage, monkeypatch):
    first = checked("GET", "/ready")[1]["model_version"]
    other = next(one for one in artifact.versions(storage) if one != first)
    champion.promote(storage, other, action="promote", reason="a test", now=NOW, expected=first)
    assert checked("GET", "/ready")[1]["model_version"] == first
    app_module.service().models._looked -= 61
    assert checked("GET", "/ready")[1]["model_version"] == other
    monkeypatch.setenv(champion.PIN, first)
    app_module.service.cache_clear()
    assert checked("GET", "/ready")[1]["model_version"] == first


def test_the_pointer_moves_forward_only_and_a_second_write_changes_nothing(storage):
    latest = predictions.Stored(storage).latest()
    older = predictions.Served(**{**latest.__dict__, "as_of_date": "2018-12-06"})
    predictions.keep(storage, older)
    predictions.keep(storage, latest)
    assert predictions.Stored(storage).latest() == latest
    assert predictions.Stored(storage).of("2018-12-06") == older
    assert command(storage, "infer", "--date", SESSION) == 0
    assert predictions.Stored(storage).latest() == latest


def test_the_api_imports_neither_pandas_nor_what_fits_models(tmp_path):
    code = (
        "import sys, chronos_volatility.serving.handler\n"
        "print([name for name in ('pandas', 'pyarrow', 'sklearn', 'lightgbm', 'scipy', 'exchange_calendars', 'numba') "
        "if name in sys.modules])"
    )
    environment = {app_module.PLACE: str(tmp_path), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"

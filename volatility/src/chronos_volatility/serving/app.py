"""The routes. Errors are JSON: {"error": a word for programs, "message": a sentence for people}."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from datetime import date
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from chronos_training.core.clock import utc_now
from chronos_training.core.errors import TrainingError
from chronos_volatility import __version__
from chronos_volatility.serving import predictions
from chronos_volatility.serving.features import FeatureError, vector
from chronos_volatility.serving.mirror import VARIABLE as MIRROR
from chronos_volatility.serving.mirror import Mirror
from chronos_volatility.serving.models import Models, NoModel, described, predicted
from chronos_volatility.serving.predictions import Source, Stored
from chronos_volatility.storage import Storage, open_storage

PLACE = "VOLATILITY_DATA"
LARGEST_BODY = 64 * 1024
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KNOWN = {"as_of_date", "feature_vector"}

app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)  # openapi.json is the description


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, error: str, message: str) -> None:
        self.status, self.error = status, error
        super().__init__(message)


class Service:
    """What the routes answer from, made once in a process."""

    def __init__(self, storage: Storage, mirror: str = "") -> None:
        """`mirror` is a table's name, or empty."""
        self.storage = storage
        self.models = Models(storage)
        stored = Stored(storage)
        self.source: Source = Mirror(mirror, stored) if mirror else stored


@lru_cache(maxsize=1)
def service() -> Service:
    """Return the service of this process' environment."""
    return Service(open_storage(os.environ.get(PLACE, "volatility-data")), os.environ.get(MIRROR, ""))


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    """Answer with a session's stored forecast, or with the champion's forecast for given features."""
    asked = _asked(await request.body())
    day = _day(asked.get("as_of_date"))
    given = asked.get("feature_vector")
    if given is not None:
        return _by_features(given, day)
    return _stored(day)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the program answers; nothing else is looked at."""
    return {"status": "ok"}


@app.get("/ready")
def ready() -> dict[str, str]:
    """Say whether the model that serves is there and forecasts what it did when it was stored."""
    return {"status": "ready", "model_version": service().models.check_golden()}


@app.get("/info")
def info() -> dict[str, Any]:
    """Describe the model that serves, and the last forecast."""
    model = service().models.serving()
    latest = service().source.latest()
    return {
        **described(model, service().storage),
        "version": __version__,
        "as_of_date": None if latest is None else latest.as_of_date,
        "sessions_behind": None if latest is None else latest.sessions_behind(utc_now()),
    }


def _stored(day: str | None) -> dict[str, Any]:
    source = service().source
    if day is not None:
        found = source.of(day)
        if found is None:
            nearest = source.nearest(day)
            where = f"The nearest session with one is {nearest}." if nearest else "There is no forecast yet."
            raise Refusal(404, "no_forecast", f"There is no forecast of {day}. {where}")
        return found.answer(stale=False)
    latest = source.latest()
    if latest is None:
        raise Refusal(503, "no_forecast", "There is no forecast yet.")
    behind = latest.sessions_behind(utc_now())
    if behind > predictions.MOST_STALE:
        raise Refusal(
            503,
            "stale",
            f"The last forecast is of {latest.as_of_date}: {behind} later sessions have none. Ask for it by its date.",
        )
    return latest.answer(stale=behind > 0)


def _by_features(given: Any, day: str | None) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Refusal(422, "invalid_request", "feature_vector must be an object with a number for each feature.")
    model = service().models.serving()
    values = vector(given, model.artifact.forecaster)
    return {"as_of_date": day, **predicted(model, values), "stale": False}


def _asked(body: bytes) -> dict[str, Any]:
    if len(body) > LARGEST_BODY:
        raise Refusal(422, "invalid_request", f"The body is larger than {LARGEST_BODY // 1024} KiB.")
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(422, "invalid_request", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise Refusal(422, "invalid_request", "The body must be a JSON object.")
    unknown = sorted(set(found) - _KNOWN)
    if unknown:
        raise Refusal(
            422, "invalid_request", f"The body has {unknown[0][:60]!r}; it may have as_of_date and feature_vector."
        )
    return found


def _day(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _DATE.fullmatch(given):
        raise Refusal(422, "invalid_request", "as_of_date must be a date such as 2026-11-27.")
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise Refusal(422, "invalid_request", f"as_of_date: {given!r} is not a date such as 2026-11-27.") from None


def _error(status: int, error: str, message: str) -> JSONResponse:
    return JSONResponse({"error": error, "message": message}, status_code=status)


@app.exception_handler(Refusal)
async def _refused(_: Request, error: Refusal) -> JSONResponse:
    return _error(error.status, error.error, str(error))


@app.exception_handler(FeatureError)
async def _wrong_features(_: Request, error: FeatureError) -> JSONResponse:
    return _error(422, "invalid_features", str(error))


@app.exception_handler(NoModel)
async def _no_model(_: Request, error: NoModel) -> JSONResponse:
    return _error(503, "no_model", str(error))


@app.exception_handler(TrainingError)
async def _storage_failed(_: Request, error: TrainingError) -> JSONResponse:
    return _error(503, "unavailable", f"The forecasts cannot be read: {error}")


@app.exception_handler(HTTPException)
async def _no_route(_: Request, error: HTTPException) -> JSONResponse:
    message = {404: "There is no such path.", 405: "The path does not take this method."}.get(error.status_code)
    return _error(error.status_code, "no_route", message or str(error.detail))


@app.middleware("http")
async def _no_cache(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await follow(request)
    answer.headers["Cache-Control"] = "no-store"
    return answer

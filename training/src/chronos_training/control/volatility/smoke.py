"""One request to each path of the deployed API: does it answer as a client needs it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from chronos_training.control.volatility.http import ask
from chronos_training.core.errors import ConfigurationError, TrainingError

# Path, whether it takes a key, what is sent, what the answer has.
_PATHS: tuple[tuple[str, bool, Any, tuple[str, ...]], ...] = (
    ("/health", False, None, ("status",)),
    ("/ready", False, None, ("status", "model_version")),
    ("/info", True, None, ("model_version", "features", "as_of_date")),
    ("/predict", True, {}, ("as_of_date", "rv_5d_hat", "top_drivers", "model_version", "stale")),
)


@dataclass(frozen=True)
class Checked:
    """What the paths answered."""

    lines: list[str]
    """One for each request."""
    forecast: dict[str, Any]
    """The answer of /predict."""


def check(url: str, key: str, session: str = "") -> Checked:
    """Ask each path, /predict for `session` (the last one where it is empty). TrainingError names what answers otherwise."""
    asked = {"as_of_date": _day(session)} if session else {}
    lines, wrong, forecast = [], [], {}
    for path, keyed, body, fields in _PATHS:
        answer = ask(f"{url}{path}", key=key if keyed else "", body=asked if path == "/predict" else body)
        if path == "/predict" and isinstance(answer.body, dict):
            forecast = answer.body
        lines.append(f"{path}: {answer.status} in {answer.milliseconds:.0f} ms{_said(path, answer.body)}")
        if answer.status != 200:
            wrong.append(f"{path} answered {answer.status or 'nothing'}: {answer.sentence}")
        elif missing := [name for name in fields if not isinstance(answer.body, dict) or name not in answer.body]:
            wrong.append(f"{path} answered without {', '.join(missing)}.")
    refused = ask(f"{url}/predict", body={})
    lines.append(f"/predict without a key: {refused.status}")
    if refused.status != 403:
        wrong.append(f"/predict without a key answered {refused.status or 'nothing'}, not 403: {refused.sentence}")
    if wrong:
        failure = TrainingError(f"The API at {url} does not answer as it should. " + " ".join(wrong))
        failure.facts = {"answers": lines}
        raise failure
    return Checked(lines, forecast)


def _day(session: str) -> str:
    try:
        return date.fromisoformat(session).isoformat()
    except ValueError as error:
        raise ConfigurationError(f"{session!r} is no session: a day is written as 2018-12-07.") from error


def _said(path: str, body: Any) -> str:
    if path == "/predict" and isinstance(body, dict) and "rv_5d_hat" in body:
        late = ", and a later one is due" if body.get("stale") else ""
        a_year = f" ({100 * body['annualized']:.1f} % a year)" if "annualized" in body else ""
        return f", {body['rv_5d_hat']:.4f}{a_year} after {body.get('as_of_date')} by {body.get('model_version')}{late}"
    return ""

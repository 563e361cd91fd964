"""Requests to the deployed API, as its clients send them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from chronos_training.core import aws, commands
from chronos_training.core.errors import ConfigurationError

KEY_HEADER = "x-api-key"
_PATIENCE = 30
"""Seconds that an answer is waited for: API Gateway itself gives up after 29."""


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when nothing did, and `body` is then the reason."""

    status: int
    body: Any
    milliseconds: float

    @property
    def sentence(self) -> str:
        """What the answer says of itself."""
        said = self.body.get("message", "") if isinstance(self.body, dict) else self.body
        return str(said)[:300]


def key_of(secrets: Any, secret: str) -> str:
    """Return the present API key."""
    with aws.explained(f"read the secret {secret}"):
        return str(secrets.get_secret_value(SecretId=secret)["SecretString"])


def checked_url(url: str, env: str) -> str:
    """Return `url`. ConfigurationError when there is no API yet."""
    if not url.startswith(("https://", "http://")):
        raise ConfigurationError(
            f"Environment {env} has no API.", hint=f"Deploy it first: {commands.playbook(env, 'deploy_volatility')}"
        )
    return url


def ask(url: str, *, key: str = "", body: Any = None) -> Answer:
    """Send a GET, or a POST of `body` as JSON (bytes as they are). Never raises for what the other side does."""
    headers = {KEY_HEADER: key} if key else {}
    data = None
    if body is not None:
        data, headers = (
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            {**headers, "Content-Type": "application/json"},
        )
    began = time.monotonic()
    try:
        try:
            with urlopen(Request(url, data, headers), timeout=_PATIENCE) as answer:  # noqa: S310 (checked_url)
                status, text = answer.status, answer.read()
        except HTTPError as error:
            with error:
                status, text = error.code, error.read()
    except (OSError, HTTPException) as error:  # a URLError is an OSError
        said = getattr(error, "reason", None) or error
        return Answer(0, f"no answer: {said or type(error).__name__}", 1000 * (time.monotonic() - began))
    took = 1000 * (time.monotonic() - began)
    try:
        return Answer(status, json.loads(text), took)
    except ValueError:
        return Answer(status, text.decode(errors="replace"), took)

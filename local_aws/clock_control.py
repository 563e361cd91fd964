"""The clock from outside.

GET  /_local_aws/clock   {now, ahead_seconds, under_way: {what: count}, next: [{at, what}]}
POST /_local_aws/clock   {"to": ISO 8601} or {"seconds": number}: advance, and answer as GET when it is that time and
                         everything has come to rest; 400 with {"error"} when it cannot be done
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from local_aws.application import read_body
from local_aws.clock import CLOCK, ClockError
from local_aws.control import CLOCK_PATH


class ClockApplication:
    """Answers CLOCK_PATH, without any lock: what happens meanwhile needs it."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != CLOCK_PATH:
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        status, answer = "200 OK", {}
        if environ["REQUEST_METHOD"] == "POST":
            read_body(environ)
            try:
                CLOCK.advance(_target(json.loads(environ["wsgi.input"].getvalue())))
            except (ClockError, ValueError, KeyError, TypeError) as error:
                status, answer = "400 Bad Request", {"error": str(error)}
        body = json.dumps({**CLOCK.describe(), **answer}).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def _target(given: dict[str, Any]) -> float:
    if "seconds" in given:
        return CLOCK.now() + float(given["seconds"])
    when = datetime.fromisoformat(str(given["to"]))
    return when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp()

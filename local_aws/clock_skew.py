"""AWS as a machine with a wrong clock sees it: everything of AWS is as much later as the machine's clock is behind.

Only for requests from inside of machines that have a network of their own; the person's computer keeps the right time.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from local_aws import fault_injection
from local_aws.application import read_body
from local_aws.calls import call_of
from local_aws.home import Home

ALLOWED = 900.0  # seconds between the date in a signature and AWS's clock
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and the common errors of the other services
ERRORS = {
    "rest-xml": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        403,
    ),
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "query": ("SignatureDoesNotMatch", "Signature not yet current or expired.", 403),
}
ELSE = ("InvalidSignatureException", "Signature not yet current or expired.", 400)


class ClockSkewApplication:
    """Stands before the whole AWS. `clock_ahead` of the injected faults is looked up for each request."""

    def __init__(self, application: Any, home: Home) -> None:
        self.application = application
        self.home = home

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        ahead = fault_injection.read(self.home).clock_ahead
        if not ahead:
            return self.application(environ, start_response)

        def start_later(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(name, _later(name, value, ahead)) for name, value in headers if name.lower() != "date"]
            return start_response(status, [*kept, ("Date", formatdate(time.time() + ahead, usegmt=True))], *rest)

        signed = _signed_at(environ.get("HTTP_X_AMZ_DATE", ""))
        if signed is not None and abs(time.time() + ahead - signed) > ALLOWED:
            read_body(environ)
            call = call_of(environ)
            code, message, status = ERRORS.get(call.protocol, ELSE)
            return call.refuse(start_later, {"code": code, "message": message, "status": status})
        return self.application(environ, start_later)


def _later(name: str, value: str, seconds: float) -> str:
    if name.lower() != "last-modified":
        return value
    return formatdate(parsedate_to_datetime(value).timestamp() + seconds, usegmt=True)


def _signed_at(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None

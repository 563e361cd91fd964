"""Counts what arrives: who called which operation how often. AWS bills S3 by the request, and throttles EC2 by it.

GET    /_local_aws/requests   {"seconds": since the start or the last DELETE, "requests": [{caller, operation, where, count}]}
DELETE /_local_aws/requests   start over

The caller is `instance` for the keys of a role's session (ASIA…), `person` for all other keys. `where` is the
beginning of an S3 key: two of its parts, or the whole key if it has no more (`local/logs/`, `local/system-state.json`).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from local_aws.application import read_body
from local_aws.calls import call_of
from local_aws.control import REQUESTS_PATH

_Entry = tuple[str, str, str]  # caller, service.Operation, where


class CountingApplication:
    """Stands before the whole AWS and changes nothing. A request counts when it arrives, whatever becomes of it."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self._lock = threading.Lock()
        self._begin()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == REQUESTS_PATH:
            return self._administer(environ, start_response)
        if not path.startswith(("/_local_aws/", "/moto-api/")):
            entry = entry_of(environ)
            with self._lock:
                self._counts[entry] += 1
        return self.application(environ, start_response)  # type: ignore[no-any-return]

    def _begin(self) -> None:
        self._counts: Counter[_Entry] = Counter()
        self._since = time.monotonic()

    def _administer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self._lock:
            if environ["REQUEST_METHOD"] == "DELETE":
                self._begin()
            rows = [
                {"caller": caller, "operation": operation, "where": where, "count": count}
                for (caller, operation, where), count in sorted(self._counts.items())
            ]
            body = json.dumps({"seconds": round(time.monotonic() - self._since, 1), "requests": rows}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def entry_of(environ: dict[str, Any]) -> _Entry:
    """Return who calls what."""
    read_body(environ)
    call = call_of(environ)
    caller = "instance" if call.access_key.startswith("ASIA") else "person" if call.access_key else "nobody"
    parts = call.parameters.get("Key", "").split("/") if call.service == "s3" else [""]
    where = "/".join(parts) if len(parts) <= 2 else "/".join(parts[:2]) + "/"
    return caller, f"{call.service}.{call.action or '?'}", where


def table(answer: dict[str, Any]) -> list[str]:
    """Return the counts as lines of a table for a terminal."""
    lines = [f"{'caller':10}{'operation':34}{'where':34}{'requests':>9}"]
    lines += [f"{r['caller']:10}{r['operation']:34}{r['where']:34}{r['count']:>9}" for r in answer["requests"]]
    for caller in sorted({r["caller"] for r in answer["requests"]}):
        total = sum(r["count"] for r in answer["requests"] if r["caller"] == caller)
        lines.append(f"{caller:10}{'in all':34}{'':34}{total:>9}")
    lines.append(f"in {answer['seconds']:.0f} s")
    return lines

"""Access logs and metrics, written behind the requests: nobody waits for them, and the clock is not advanced over them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local_aws.iam.service_roles import NotAssumable, credentials_for
from local_aws.services.aws import Aws
from local_aws.services.cloudwatch.recording import record
from local_aws.services.logs.writing import write

log = logging.getLogger("local_aws.apigateway")

PRINCIPAL = "apigateway.amazonaws.com"
_PAUSE = 0.2  # seconds
_EARLY = 300.0  # seconds before the end of a session when a new one is made


class Records:
    """Thread-safe."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lines: dict[tuple[str, str, str], list[tuple[float, str]]] = defaultdict(list)  # group, stream, role
        self._values: dict[tuple[str, str, str], dict[str, Counter[float]]] = defaultdict(lambda: defaultdict(Counter))
        self._sessions: dict[str, dict[str, str]] = {}
        self._changed = threading.Condition()
        self._end: Callable[[], None] | None = None  # of the work that is under way
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def add(
        self, region: str, api_name: str, stage: str, values: dict[str, float], line: tuple[str, str, str] | None
    ) -> None:
        """Add the metrics of one request, and its line of the access log: (group, role, text)."""
        with self._changed:
            for name, value in values.items():
                self._values[region, api_name, stage][name][value] += 1
            if line:
                group, role, text = line
                stream = hashlib.md5(f"{api_name}/{stage}".encode(), usedforsecurity=False).hexdigest()
                self._lines[group, stream, role].append((self._aws.clock.now(), text))
            if self._end is None:
                self._end = self._aws.clock.begin("metrics and access logs of an API")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="api-records", daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self) -> None:
        """The account is emptied."""
        with self._changed:
            self._lines.clear()
            self._values.clear()
            self._sessions.clear()
            self._finish()

    def stop(self) -> None:
        """Write nothing any more."""
        self._stopped.set()
        self.forget()
        with self._changed:
            self._changed.notify()

    def _finish(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE):
            with self._changed:
                while not (self._lines or self._values or self._stopped.is_set()):
                    self._changed.wait()
                lines, values = dict(self._lines), dict(self._values)
                self._lines.clear()
                self._values.clear()
            try:
                for (region, api_name, stage), found in values.items():
                    record(self._aws, "AWS/ApiGateway", _data(api_name, stage, found), region)
                for (group, stream, role), written in lines.items():
                    self._write(group, stream, role, written)
            except Exception:
                log.exception("the records of an API")
            with self._changed:
                if not (self._lines or self._values):
                    self._finish()

    def _write(self, group: str, stream: str, role: str, lines: list[tuple[float, str]]) -> None:
        credentials = self._credentials(role)
        if credentials:
            write(self._aws, group, stream, lines, credentials, make_group=False)

    def _credentials(self, role: str) -> dict[str, str] | None:
        session = self._sessions.get(role)
        if session is None or _ends(session) - self._aws.clock.now() < _EARLY:
            try:
                with self._aws.lock:
                    session = credentials_for(role, PRINCIPAL, "BackplaneAssumeRoleSession")
            except NotAssumable as error:
                log.warning("an access log is lost: %s", error)
                return None
            self._sessions[role] = session
        return session


def _ends(session: dict[str, str]) -> float:
    return datetime.fromisoformat(session["Expiration"].replace("Z", "+00:00")).timestamp()


def _data(api_name: str, stage: str, found: dict[str, Counter[float]]) -> list[dict[str, Any]]:
    dimensions = [{"Name": "ApiName", "Value": api_name}, {"Name": "Stage", "Value": stage}]
    return [
        {
            "MetricName": name,
            "Dimensions": dimensions,
            "Values": list(counts),
            "Counts": [float(count) for count in counts.values()],
            "Unit": "Milliseconds" if name.endswith("Latency") else "Count",
        }
        for name, counts in found.items()
    ]

"""Injected faults of the API: AWS's bad days, for tests of what is done about them.

POST   /_local_aws/faults   a fault as JSON; it is put behind those that are there
GET    /_local_aws/faults   the faults that are not used up yet
DELETE /_local_aws/faults   forget them all

A fault has
  action       the API operation: RunInstances, PutObject, CreateSchedule, …
  times        how many calls it meets (1); null: all of them
  match        only calls with these parameters, by the names in the request: InstanceType, ClientToken, Bucket, Key, Name, …;
               `Zone` for RunInstances is the zone of its subnet; a trailing * matches any end
  delay        seconds to wait first (0)
  error        {code, message, status}: answer this, in the service's own format, and do nothing
  lose_answer  true: do what is asked, then cut the connection without an answer
A call meets the first fault that fits. A fault with neither error nor lose_answer is a delay only.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from local_aws.application import read_body
from local_aws.calls import Call, call_of
from local_aws.control import FAULTS_PATH


@dataclass
class Fault:
    """See the module."""

    action: str
    times: int | None = 1
    match: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    error: dict[str, Any] | None = None
    lose_answer: bool = False

    def meets(self, action: str, parameters: dict[str, str]) -> bool:
        return action == self.action and all(_fits(parameters.get(k), v) for k, v in self.match.items())


def _fits(value: str | None, wanted: str) -> bool:
    if value is None:
        return False
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


class FaultyApplication:
    """Stands before the whole AWS. Without faults it costs nothing."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == FAULTS_PATH:
            return self._administer(environ, start_response)
        if not self._faults:
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        read_body(environ)
        call = call_of(environ)
        fault = self._met(call)
        if fault is None:
            return self.application(environ, start_response)  # type: ignore[no-any-return]
        time.sleep(fault.delay)
        if fault.error is not None:
            return call.refuse(start_response, fault.error)
        if fault.lose_answer:
            list(self.application(environ, lambda *_: None))
            connection = environ["werkzeug.socket"]
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionError("the answer was lost, an injected fault")
        return self.application(environ, start_response)  # type: ignore[no-any-return]

    def _met(self, call: Call) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.meets(call.action, call.parameters):
                    if fault.times is not None:
                        fault.times -= 1
                    self._faults = [f for f in self._faults if f.times is None or f.times > 0]
                    return fault
        return None

    def _administer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        method, status = environ["REQUEST_METHOD"], "200 OK"
        answer: Any = {}
        try:
            if method == "POST":
                read_body(environ)
                fault = Fault(**json.loads(environ["wsgi.input"].read()))
                with self._lock:
                    self._faults = [*self._faults, fault]
            elif method == "DELETE":
                with self._lock:
                    self._faults = []
            else:
                answer = [asdict(fault) for fault in self._faults]
        except (ValueError, TypeError) as error:
            status, answer = "400 Bad Request", {"error": str(error)}
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

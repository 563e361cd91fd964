"""Faults on order: AWS's bad days, for tests of what is done about them.

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
import functools
import json
import re
import socket
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
from moto.ec2.models import ec2_backends

from local_aws.application import read_body
from local_aws.control import FAULTS_PATH

_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")


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
        call = Call(environ)
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
            raise ConnectionError("the answer was lost on order")
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


class Call:
    """One AWS request: which operation it is, and its parameters as text."""

    def __init__(self, environ: dict[str, Any]) -> None:
        body = environ["wsgi.input"].getvalue()
        query = dict(urllib.parse.parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        found = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        self.service = found.group(1) if found else "s3"  # anonymous: only S3 knows such requests
        self.parameters: dict[str, str] = {}
        if "HTTP_X_AMZ_TARGET" in environ:
            self.action = environ["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[-1]
            self._add_json(body)
        elif "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
            self.parameters = dict(urllib.parse.parse_qsl(body.decode()))
            self.action = self.parameters.get("Action", "")
            self._add_zone()
        else:
            self.action, self.parameters = rest_operation(self.service, environ, query)
            if environ.get("CONTENT_TYPE", "").startswith("application/json"):
                self._add_json(body)

    def _add_json(self, body: bytes) -> None:
        with contextlib.suppress(ValueError, AttributeError):
            self.parameters |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in json.loads(body).items()}

    def _add_zone(self) -> None:
        subnet_id = self.parameters.get("SubnetId") or self.parameters.get("NetworkInterface.1.SubnetId")
        for account in list(ec2_backends.values()) if subnet_id else ():
            for backend in list(account.values()):
                for by_zone in backend.subnets.values():
                    if subnet_id in by_zone:
                        self.parameters["Zone"] = by_zone[subnet_id].availability_zone

    def refuse(self, start_response: Any, error: dict[str, Any]) -> list[bytes]:
        """Answer `error` as the service would."""
        code, message = str(error["code"]), str(error.get("message", "A fault on order."))
        request_id = str(uuid.uuid4())
        said = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        protocol = _model(self.service).protocol
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", "text/xml")]
        if protocol == "ec2":
            text = f"<Response><Errors><Error>{said}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        elif protocol == "query":
            text = f"<ErrorResponse><Error>{said}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        elif protocol == "rest-xml":
            text = f"<Error>{said}<RequestId>{request_id}</RequestId></Error>"
        else:
            text = json.dumps({"__type": code, "message": message})
            headers = [
                ("x-amzn-RequestId", request_id),
                ("x-amzn-ErrorType", code),
                ("Content-Type", "application/json"),
            ]
        body = text.encode()
        start_response(f"{int(error.get('status', 400))} Fault", [*headers, ("Content-Length", str(len(body)))])
        return [body]


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@functools.cache
def _rest_operations(service: str) -> list[tuple[str, str, re.Pattern[str], set[tuple[str, str]], set[str], set[str]]]:
    """For each operation: name, method, path, query literals, required query names, required headers."""
    model = _model(service)
    table = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        path = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(path))
        path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", path)
        shape = operation.input_shape
        members = shape.members if shape else {}
        required = [members[m].serialization for m in (shape.required_members if shape else [])]
        table.append(
            (
                name,
                operation.http["method"],
                re.compile(path + "/?"),
                set(urllib.parse.parse_qsl(query, keep_blank_values=True)),
                {s["name"] for s in required if s.get("location") == "querystring"},
                {s["name"].lower() for s in required if s.get("location") == "header"},
            )
        )
    return table


def rest_operation(service: str, environ: dict[str, Any], query: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the operation that a REST request is, by the most specific entry of botocore's own table."""
    headers = {key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_")}
    best: tuple[int, str, dict[str, str]] = (-1, "", {})
    for name, method, path, literals, wanted_query, wanted_headers in _rest_operations(service):
        found = path.fullmatch(environ["PATH_INFO"]) if method == environ["REQUEST_METHOD"] else None
        fits = found and literals <= set(query.items()) and wanted_query <= set(query) and wanted_headers <= headers
        special = len(literals) + len(wanted_query) + len(wanted_headers)
        if found and fits and special > best[0]:
            best = (special, name, found.groupdict())
    return best[1], {**query, **best[2]}

"""The WSGI application: moto's dispatcher, made atomic, behind a request handler for the loopback."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app

from local_aws import moto_gaps
from local_aws.calls import Call, botocore_name, call_of
from local_aws.services import Services
from local_aws.services.aws import Aws


def build_application(aws: Aws, services: Services, answered: Callable[[dict[str, Any]], None]) -> Any:
    """moto with every gap closed. `aws.lock` is held for each request, and by the host when it touches moto's state.

    `answered` is called with the environ of each request that moto has answered, with the lock held.
    """
    moto_gaps.close_all(aws.home)

    def create_app(service: Any) -> Any:
        services.open(service)
        return create_backend_app(service)

    return AtomicApplication(Dispatcher(create_app), aws, services, answered)


class RequestHandler(MotoRequestHandler):
    # Small answers go out in several writes; with Nagle and delayed ACKs each of them may cost 40 ms.
    disable_nagle_algorithm = True

    def make_environ(self) -> Any:
        environ = super().make_environ()
        environ["local_aws.headers"] = self.headers  # WSGI loses how they are spelled, and which came twice
        return environ

    def run_wsgi(self) -> None:
        """werkzeug ends a connection with each answer, and waits 10 ms for what may still come: not so for deployed APIs."""
        if not self.path.startswith("/_aws/execute-api/"):
            super().run_wsgi()
            return
        self.environ = environ = self.make_environ()
        answered: list[Any] = []
        body = b"".join(self.server.app(environ, lambda status, headers: answered.extend((status, headers))))
        status, headers = answered
        if not isinstance(environ["wsgi.input"], io.BytesIO):  # the body is still on its way
            self.close_connection = True
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.log_request(code)
        self.send_response_only(code, message)
        self.send_header("Server", self.version_string())

    def end_headers(self) -> None:
        # Here, not in send_response as in the standard library: an answer with another time (clock_skew.py) has one date.
        # What speaks no HTTP (docker tries TLS first) is refused without any header.
        if not any(line.lower().startswith(b"date:") for line in getattr(self, "_headers_buffer", ())):
            self.send_header("Date", self.date_time_string())
        super().end_headers()


class Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher lists its own package folder (about 200 stat calls) for each request; the answer never changes."""

    @functools.cache  # noqa: B019 (one dispatcher lives as long as the process)
    def get_backend_for_host(self, host: str | None) -> Any:
        return super().get_backend_for_host(host)


class AtomicApplication:
    """One request at a time inside moto.

    Why: moto's conditional writes (If-Match, If-None-Match) check first and act later without a lock, so that under
    thread switching two writers both win (measured). The project's run lock is built on exactly those writes.

    The request's body is read before the lock is taken, and the answer is sent after it was given back: a slow or
    dead client holds up nobody.

    What a service answers by itself because it waits (`Aws.outside`) is answered without the lock.
    """

    def __init__(
        self, application: Any, aws: Aws, services: Services, answered: Callable[[dict[str, Any]], None]
    ) -> None:
        self.application = application
        self._answered = answered
        self.lock = aws.lock
        self._aws = aws
        self._services = services

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        read_body(environ)
        if environ.get("PATH_INFO") == "/moto-api/reset":
            self._aws.reset()
        # ReceiveMessage with a wait time sleeps inside moto; SQS has locks of its own.
        if "/sqs/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            answer = self.application(environ, start_response)
            with self.lock:
                self._answered(environ)
            return answer  # type: ignore[no-any-return]
        call = call_of(environ)
        # moto's own interface is nobody's AWS.
        if environ.get("PATH_INFO", "").startswith("/moto-api/"):
            return self._inside(call, start_response)
        self._services.open_for(call)
        handler = self._aws.outside.get((botocore_name(call.service), call.action))
        return handler(call, start_response) if handler else self._inside(call, start_response)

    def _inside(self, call: Call, start_response: Any) -> Iterable[bytes]:
        with self.lock:
            try:
                return self.application(call.environ, start_response)  # type: ignore[no-any-return]
            finally:
                self._answered(call.environ)


def read_body(environ: dict[str, Any]) -> None:
    """Replace the socket stream by the body in memory, in a form that werkzeug passes on without copying it."""
    stream = environ["wsgi.input"]
    if isinstance(stream, io.BytesIO):
        return
    if environ.get("wsgi.input_terminated"):  # Transfer-Encoding: chunked, undone by werkzeug
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    else:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = stream.read(length) if length else b""
        if len(body) < length:
            raise ConnectionError(f"the client sent {len(body)} of {length} bytes")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["wsgi.input_terminated"] = True

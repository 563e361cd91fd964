"""The start-up probe against a small S3 over HTTP that keeps, or ignores, one condition or all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chronos_training.core.errors import PermissionDenied, TrainingError
from chronos_training.core.probe import check_conditions
from tests.protocol.servers import client


class SmallS3(ThreadingHTTPServer):
    """PUT and DELETE of objects. `ignored` are the conditions it takes no notice of; `answer` is sent to everything."""

    def __init__(self, ignored: frozenset[str], answer: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ignored, self.answer = ignored, answer
        self.objects: dict[str, str] = {}
        self.requests = 0


class Handler(BaseHTTPRequestHandler):
    server: SmallS3
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._change("PUT", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')

    def do_DELETE(self) -> None:
        self._change("DELETE", None)

    def _change(self, method: str, new: str | None) -> None:
        self.server.requests += 1
        stored = self.server.objects.get(self.path)
        refused = None
        if self.headers["If-None-Match"] and stored is not None and "PUT If-None-Match" not in self.server.ignored:
            refused = 412
        asked = self.headers["If-Match"]
        if asked and f"{method} If-Match" not in self.server.ignored and asked != stored:
            refused = 404 if stored is None else 412
        code = self.server.answer or refused or (200 if new else 204)
        if code < 300 and new:
            self.server.objects[self.path] = new
        elif code < 300:
            self.server.objects.pop(self.path, None)
        self.send_response(code)
        self.send_header("Content-Length", "0")
        if code == 200 and new:
            self.send_header("ETag", new)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def small_s3() -> Iterator[type]:
    running: list[SmallS3] = []

    def start(*ignored: str, answer: int | None = None) -> SmallS3:
        server = SmallS3(frozenset(ignored), answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def probe(server: SmallS3) -> None:
    check_conditions(client(f"http://127.0.0.1:{server.server_port}"), "bucket", "local")


def test_a_server_that_keeps_conditions_passes_and_nothing_is_left(small_s3):
    server = small_s3()
    probe(server)
    assert (server.objects, server.requests) == ({}, 5)


@pytest.mark.parametrize(
    ("ignored", "said"),
    [
        ("PUT If-None-Match", "ignores If-None-Match on PUT"),
        ("PUT If-Match", "ignores If-Match on PUT"),
        ("DELETE If-Match", "ignores If-Match on DELETE"),
    ],
)
def test_an_endpoint_that_ignores_a_condition_is_refused(small_s3, ignored, said):
    server = small_s3(ignored)
    with pytest.raises(TrainingError, match=rf"The S3 at http://127\.0\.0\.1:\d+ {said}: two runs could hold the lock"):
        probe(server)
    assert server.objects == {}


def test_a_permission_that_is_missing_is_said_as_such(small_s3):
    with pytest.raises(PermissionDenied, match=r"No permission to write s3://bucket/local/\.probe-"):
        probe(small_s3(answer=403))


def test_a_passing_fault_is_no_verdict(small_s3):
    with pytest.raises(TrainingError, match=r"Could not test whether .* Try again"):
        probe(small_s3(answer=503))


def test_amazon_s3_is_not_asked():
    check_conditions(client("https://s3.us-east-1.amazonaws.com"), "bucket", "local")

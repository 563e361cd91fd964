"""The number of an instance within its launch, from a metadata service that is away at first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chronos_training.agent import machine


class Service(ThreadingHTTPServer):
    """A metadata service that refuses the first `refusals` questions for the launch index."""

    refusals = 0
    asked = 0


class Answers(BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        self._say(200, "token")

    def do_GET(self) -> None:
        assert self.path == "/latest/meta-data/ami-launch-index"
        self.server.asked += 1
        away = self.server.asked <= self.server.refusals
        self._say(503 if away else 200, "" if away else "1")

    def _say(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service(("127.0.0.1", 0), Answers) as server:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_pipeline_waits_for_it(service: Service, tmp_path: Path) -> None:
    service.refusals = 2
    assert machine.launch_index(tmp_path, 60) == 1
    assert service.asked == 3


def test_the_watcher_asks_once_and_later_reads_the_note(service: Service, tmp_path: Path) -> None:
    service.refusals = 1
    with pytest.raises(OSError, match="503"):
        machine.launch_index(tmp_path)
    assert service.asked == 1
    assert machine.launch_index(tmp_path) == machine.launch_index(tmp_path) == 1
    assert service.asked == 2

"""A server of a test that answers each request with what a function says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    key: str | None
    kind: str | None
    body: bytes


Reply = tuple[int, Any]
"""A status, and a value that is sent as JSON; bytes are sent as they are."""


@contextmanager
def serving(reply: Callable[[Request], Reply | bytes]) -> Iterator[tuple[str, list[Request]]]:
    """Answer below the address that this gives, and tell what was asked. Bytes in place of a reply are the whole response."""
    asked: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(
                self.command, self.path, self.headers.get("x-api-key"), self.headers.get("Content-Type"), body
            )
            asked.append(request)
            found = reply(request)
            if isinstance(found, bytes):
                self.wfile.write(found)
                return
            status, value = found
            text = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

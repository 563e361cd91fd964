"""A bad line in front of the embedded AWS: requests vanish, answers are cut, come late, or are a 503. Seeded."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# drop: the request never arrives; lose: it is done, the answer never arrives; reset: as lose, with a RST; half: half of
# the answer; slow: the answer is late; hang: so late that the state's client (5 s) has given up; 503: refused, not done.
KINDS = ("drop", "lose", "reset", "half", "slow", "hang", "503")
SLOW_SECONDS, HANG_SECONDS = 0.5, 6.0
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class FaultProxy:
    """Serves on a loopback port from its start to `close`. Lets everything through until `begin`."""

    def __init__(self) -> None:
        proxy = self

        class Handler(_Handler):
            line = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.upstream = ""  # host:port, once it is known
        self._lock = threading.Lock()
        self.quiet()
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def begin(self, seed: int, rate: float, kinds: tuple[str, ...] = KINDS) -> None:
        """From now on meet each request with one of `kinds` at the probability `rate`."""
        with self._lock:
            self._random, self._rate, self._kinds = random.Random(seed), rate, kinds
            self.met: Counter[str] = Counter()
            self.requests = 0

    def quiet(self) -> None:
        """Let everything through."""
        self.begin(0, 0.0)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def choose(self) -> str:
        """Return what happens to the next request; empty for nothing."""
        with self._lock:
            self.requests += 1
            if self._random.random() >= self._rate:
                return ""
            kind = self._random.choice(self._kinds)
            self.met[kind] += 1
            return kind


class _Handler(BaseHTTPRequestHandler):
    line: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        body, kind = self._body(), self.line.choose()
        self.close_connection = True
        if kind == "drop":
            return
        if kind == "503":
            self._send(503, [("Content-Type", "application/xml")], BUSY)
            return
        status, headers, answer = self._forward(body)
        if kind in {"slow", "hang"}:
            time.sleep(SLOW_SECONDS if kind == "slow" else HANG_SECONDS)
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        elif kind == "lose":
            return
        with contextlib.suppress(OSError):
            self._send(status, headers, answer, half=kind == "half")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.line.upstream, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        headers = [(n, v) for n, v in answer.getheaders() if n.lower() not in HOP or self.command == "HEAD"]
        return answer.status, headers, content

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes, *, half: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        # Of an answer without a body nothing can be cut but the answer itself.
        self.wfile.write(body[: len(body) // 2] if half else body)

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            super().handle_one_request()
            return
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass

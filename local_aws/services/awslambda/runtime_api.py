"""The Runtime API, as the runtime in one environment sees it: it asks for the next invocation, and posts its result.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

There is no thread that serves it. A runtime has one request at a time under way, and whoever holds the environment reads it and
answers it: the thread that invokes. That saves two changes of threads for each invocation.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

PREFIX = "/2018-06-01/runtime/"
_LOOK = 0.1  # seconds after which it is looked whether the process still lives


class RuntimeGone(Exception):
    """The process has ended, or talks no HTTP."""


class TooLate(Exception):
    """Nothing came until the deadline."""


@dataclass(frozen=True)
class Request:
    """What the runtime asked."""

    method: str
    path: str  # below PREFIX
    body: bytes
    connection: _Connection

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Answer it."""
        lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'Error'}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **(headers or {})}.items()]
        self.connection.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class RuntimeApi:
    """A listener on the loopback for one environment. Not thread-safe: one thread at a time holds the environment."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def receive(self, deadline: float, ended: Callable[[], bool]) -> Request:
        """Return the next request. TooLate at `deadline` (monotonic), RuntimeGone when `ended()` says so before."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TooLate
            ready = self._selector.select(min(left, _LOOK))
            for key, _ in ready:
                if key.fileobj is self._listener:
                    accepted, _ = self._listener.accept()
                    self._selector.register(accepted, selectors.EVENT_READ, _Connection(accepted))
                    continue
                request = key.data.read(deadline)
                if request is not None:
                    return request  # type: ignore[no-any-return]
                self._selector.unregister(key.fileobj)
                key.data.close()
            if not ready and ended():
                raise RuntimeGone

    def close(self) -> None:
        """Close every socket."""
        for key in list((self._selector.get_map() or {}).values()):  # None: closed already
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


class _Connection:
    """HTTP as the runtimes speak it: a head, and a body with its length or in chunks."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = accepted.makefile("rb", buffering=1 << 16)

    def read(self, deadline: float) -> Request | None:
        """Return the request that has begun to arrive; None when the other side has closed."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            line = self._file.readline().decode("latin-1").split()
            if len(line) < 2:
                return None
            headers = {}
            while (text := self._file.readline().decode("latin-1").strip()) != "":
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            if "chunked" in headers.get("transfer-encoding", ""):
                body = self._chunks()
            else:
                length = int(headers.get("content-length") or 0)
                body = self._file.read(length)
                if len(body) < length:
                    return None
        except TimeoutError:
            raise TooLate from None
        except (OSError, ValueError):
            return None
        return Request(line[0], line[1].removeprefix(PREFIX), body, self)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._file.readline().split(b";")[0], 16):
            parts.append(self._file.read(size))
            self._file.readline()
        self._file.readline()
        return b"".join(parts)

    def send(self, data: bytes) -> None:
        self._socket.settimeout(30.0)
        try:
            self._socket.sendall(data)
        except OSError:
            raise RuntimeGone from None

    def close(self) -> None:
        self._file.close()
        self._socket.close()


ACCEPTED = json.dumps({"status": "OK"}).encode()

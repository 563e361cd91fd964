"""A limit on the network between AWS and machines: on the loopback there is none, and bytes cost only processor time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from local_aws import fault_injection
from local_aws.home import Home


class LimitedApplication:
    """Sends the bodies of all answers together at `network_bytes_per_second` of the injected faults, looked up for each request."""

    def __init__(self, application: Any, home: Home) -> None:
        self.application = application
        self.home = home
        self.lock = threading.Lock()
        self.free_at = 0.0  # when the network has carried everything that was given to it

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        width = fault_injection.read(self.home).network_bytes_per_second
        body = self.application(environ, start_response)
        return self._paced(body, width) if width else body  # type: ignore[no-any-return]

    def _paced(self, body: Any, width: float) -> Iterator[bytes]:
        try:
            for piece in body:
                with self.lock:
                    self.free_at = max(self.free_at, time.monotonic()) + len(piece) / width
                    arrives = self.free_at
                time.sleep(max(0.0, arrives - time.monotonic()))
                yield piece
        finally:
            if hasattr(body, "close"):
                body.close()

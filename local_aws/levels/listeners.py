"""The daemon's side of a machine that has a network of its own: its two listeners are made in there and served here."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger("local_aws.listeners")

# Serves a listener until the returned function is called.
Serve = Callable[[socket.socket], Callable[[], None]]


class Listeners:
    """The metadata service and AWS as one boot of a machine reaches them."""

    def __init__(self, metadata: Serve, aws: Serve) -> None:
        self._serve = (metadata, aws)
        self._closers: list[Callable[[], None]] = []
        self._ours, self.theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._receive, name="listeners", daemon=True)

    def open(self) -> None:
        """Wait in the background for the listeners; the machine has got its end (`theirs`) by now."""
        self.theirs.close()
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # not connected any more
            self._ours.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closing does not
        self.theirs.close()
        if self._thread.is_alive():
            self._thread.join()
        self._ours.close()
        for close in self._closers:
            close()
        self._closers = []

    def _receive(self) -> None:
        try:
            _, numbers, _, _ = socket.recv_fds(self._ours, 64, len(self._serve))
        except OSError:  # closed before the machine came so far
            return
        for number, serve in zip(numbers, self._serve, strict=False):
            try:
                self._closers.append(serve(socket.socket(fileno=number)))
            except Exception:
                log.exception("a listener of a machine is not served")


def shut(server: Any) -> None:
    """End a socketserver that serves in a thread."""
    server.shutdown()
    server.server_close()

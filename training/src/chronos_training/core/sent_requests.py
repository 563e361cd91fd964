"""How many requests this process has sent to S3, in the two classes that S3 charges for (R50)."""

from __future__ import annotations

import threading
from typing import Any

# The rest are reads, except what is free. Source: the S3 price list, "PUT, COPY, POST, LIST" and "GET, SELECT, and all other".
_WRITES = ("Put", "Copy", "Post", "List", "Create", "Upload", "Complete")
_FREE = ("Delete", "Abort")


class SentRequests:
    """Counts attempts, not calls: a repeated request is charged as often as it is answered. Safe in several threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._writes = self._reads = 0

    def listen(self, events: Any) -> None:
        """Count what clients with these events of botocore send to S3 from now on."""
        events.register("before-send.s3", self._note)

    def add(self, *, writes: int = 0, reads: int = 0) -> None:
        """Count what another program has sent for this process."""
        with self._lock:
            self._writes += writes
            self._reads += reads

    def counts(self) -> dict[str, int]:
        """Return `writes` and `reads` so far."""
        with self._lock:
            return {"writes": self._writes, "reads": self._reads}

    def _note(self, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if not operation.startswith(_FREE):
            write = operation.startswith(_WRITES)
            self.add(writes=int(write), reads=int(not write))

"""Copies the logs to S3 every few seconds, so that a dead instance still has a story (R26)."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

log = logging.getLogger(__name__)


class LogShipper:
    """Uploads each changed `*.log` of a folder. A failed upload is tried again at the next round, never fatal."""

    def __init__(self, s3: Any, bucket: str, prefix: str, folder: Path, interval: float) -> None:
        """Ships `folder` to `s3://bucket/prefix` every `interval` seconds after `start`."""
        self._s3, self._bucket, self._prefix, self._folder = s3, bucket, prefix, folder
        self._interval = interval
        self._shipped: dict[Path, tuple[int, int]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Begin shipping in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and ship once more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self.ship()

    def ship(self) -> None:
        """Upload the logs that changed since they were last uploaded."""
        for path in sorted(self._folder.glob("*.log")):
            seen = path.stat()
            mark = (seen.st_size, seen.st_mtime_ns)
            if self._shipped.get(path) == mark:
                continue
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + path.name,
                    Body=path.read_bytes(),
                    ContentType="text/plain; charset=utf-8",
                )
                self._shipped[path] = mark
            except (ClientError, BotoCoreError, ResponseParserError) as error:
                log.warning("log %s not uploaded, will try again: %s", path.name, error)

    def _loop(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.ship()
            except OSError as error:
                log.warning("logs not read, will try again: %s", error)

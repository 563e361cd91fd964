"""Copies the logs to S3 every few seconds, so that a dead instance still has a story (R26).

A log is one object `<name>.log` up to a megabyte. What is older moves to `<name>.log.000`, `.001`, …, each sent once: a
round never sends more than the last megabyte of a log again. Whole lines only, and secrets masked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from chronos_training.core.aws_types import S3Client

from .console import write_console
from .masking import mask
from .paths import Paths, Run

log = logging.getLogger(__name__)

PART_BYTES = 1 << 20
# A program that floods its log gets this much per round; the last round sends up to LAST_PARTS.
ROUND_PARTS, LAST_PARTS = 4, 64


@dataclass
class _Sent:
    """How much of a log is in S3: `parts` full ones, which end at `offset`, and the rest up to `size`."""

    parts: int = 0
    offset: int = 0
    size: int = 0


class LogShipper:
    """Uploads each `*.log` of a folder that has grown. A failed upload is tried again at the next round, never fatal."""

    def __init__(
        self,
        s3: S3Client,
        bucket: str,
        prefix: str,
        folder: Path,
        interval: float,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        """Ships `folder` to `s3://bucket/prefix` every `interval` seconds after `start`; `refresh` writes what is no file."""
        self._s3, self._bucket, self._prefix, self._folder = s3, bucket, prefix, folder
        self._interval, self._refresh = interval, refresh
        self._sent: dict[str, _Sent] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Begin shipping in a thread, now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and ship once more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self.ship()

    def ship(self) -> None:
        """Upload all there is."""
        self._ship(last=True)

    def _ship(self, *, last: bool) -> None:
        if not self._lock.acquire(timeout=30):
            return  # a round that hangs; another one beside it would not help
        try:
            try:
                self._refresh()
            except Exception as error:
                log.warning("%s", error)
            for path in sorted(self._folder.glob("*.log")):
                try:
                    self._ship_one(path, self._sent.setdefault(path.name, _Sent()), last)
                except (ClientError, BotoCoreError, ResponseParserError, OSError) as error:
                    log.warning("log %s not uploaded; will retry: %s", path.name, error)
        finally:
            self._lock.release()

    def _ship_one(self, path: Path, sent: _Sent, last: bool) -> None:
        size = path.stat().st_size
        if size < sent.size:  # somebody started it over: the parts that are there stay
            sent.offset = sent.size = 0
        if size == sent.size:
            return
        with path.open("rb") as stream:
            for _ in range(LAST_PARTS if last else ROUND_PARTS):
                stream.seek(sent.offset)
                piece = stream.read(PART_BYTES)
                if len(piece) < PART_BYTES:
                    break
                piece = _whole_lines(piece) or piece
                self._put(f"{path.name}.{sent.parts:03d}", piece)
                sent.parts, sent.offset = sent.parts + 1, sent.offset + len(piece)
                sent.size = sent.offset
            stream.seek(sent.offset)
            piece = stream.read(PART_BYTES)
        if not last:
            piece = _whole_lines(piece)  # half of a secret would not be recognised
        if sent.offset + len(piece) > sent.size:
            self._put(path.name, piece)
            sent.size = sent.offset + len(piece)

    def _put(self, name: str, body: bytes) -> None:
        self._s3.put_object(
            Bucket=self._bucket, Key=self._prefix + name, Body=mask(body), ContentType="text/plain; charset=utf-8"
        )

    def _loop(self) -> None:
        while True:
            try:
                self._ship(last=False)
            except Exception:  # a thread that dies here would be missed by nobody
                log.exception("logs not shipped; will retry")
            if self._stopped.wait(self._interval):
                return


def log_shipper(s3: S3Client, run: Run, paths: Paths, number: int = 0) -> LogShipper:
    """Return the shipper of this machine's logs, console included; a worker's go into a folder named by its
    `number`.
    """
    console = paths.logs / "console.log"
    prefix = run.logs_prefix + (f"member-{number}/" if number else "")
    return LogShipper(s3, run.bucket, prefix, paths.logs, run.log_seconds, lambda: write_console(console))


def _whole_lines(piece: bytes) -> bytes:
    return piece[: max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1]

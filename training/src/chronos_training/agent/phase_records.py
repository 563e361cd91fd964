"""Stores a record of each phase when it ends, so that a run that dies leaves those of the phases before (R42).

They are for people and programs that look later: nothing of the run depends on them, and one that cannot be stored is
tried again with the next.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.run_records import SCHEMA_VERSION, file_name
from chronos_training.core.states import COMPLETED, FAILED
from chronos_training.core.wire import STATE_CONFIG

from .masking import mask_text
from .paths import Run
from .trainer import StopRequested

log = logging.getLogger(__name__)


class PhaseRecords:
    """The records of one run on their way to its prefix."""

    def __init__(self, run: Run, still_ours: Callable[[], bool]) -> None:
        """`still_ours` tells whether the run may still write: one that was fenced may not."""
        self._run, self._still_ours = run, still_ours
        # One attempt with short time-outs: a record must not hold up the run, nor its end.
        self._s3 = aws.client("s3", region=run.region, config=STATE_CONFIG)
        self._waiting: dict[str, bytes] = {}

    @contextlib.contextmanager
    def phase(self, record: str, facts: dict[str, Any]) -> Iterator[None]:
        """Time what is done within, and store it as `record` with `facts` as they are then, however it ended."""
        started, clock = iso(utc_now()), time.monotonic()
        status, error = COMPLETED, None
        try:
            yield
        except StopRequested as stopped:
            status, error = stopped.status, str(stopped)
            raise
        except TrainingError as failure:
            status, error = FAILED, str(failure)
            raise
        except Exception as crash:
            status, error = FAILED, f"{type(crash).__name__}: {crash}"
            raise
        finally:
            about = {
                "schema_version": SCHEMA_VERSION,
                "run_id": self._run.run_id,
                "env": self._run.env,
                "phase": record,
                "status": status,
                "error_message": None if error is None else mask_text(error),
                "started_at": started,
                "ended_at": iso(utc_now()),
                "seconds": round(time.monotonic() - clock, 3),
            }
            # A probe has nothing to check and nothing to fetch: of a phase that did nothing there is nothing to tell.
            if status != COMPLETED or any(value is not None for value in facts.values()):
                self.put(record, {**about, **facts})

    def put(self, record: str, content: dict[str, Any]) -> None:
        """Store `content` as `record`, after those that could not be stored before. Never raises."""
        try:
            self._waiting[record] = (json.dumps(content, indent=2) + "\n").encode()
        except (TypeError, ValueError) as error:  # a bug of ours; the model is worth more than its record
            log.error("%s is not stored: %s", file_name(record), error)
        self.flush()

    def flush(self) -> None:
        """Store what could not be stored before. Never raises."""
        for record, body in list(self._waiting.items()):
            if not self._still_ours():
                return
            name = file_name(record)
            try:
                self._write_once(self._run.prefix + name, body)
            except Exception as error:  # whatever it is, it is not worth the run
                log.warning("%s not stored; will retry: %s", name, error)
                return
            del self._waiting[record]

    def _write_once(self, key: str, body: bytes) -> None:
        """Write the object unless it is there: a request that was held up in the network must not replace a later one."""
        with aws.explained(f"store s3://{self._run.bucket}/{key}"):
            try:
                self._s3.put_object(
                    Bucket=self._run.bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
                )
            except ClientError as error:
                # Ours, whose answer was lost; or the one that a watcher has written at the end of the run.
                if aws.error_code(error) != "PreconditionFailed":
                    raise

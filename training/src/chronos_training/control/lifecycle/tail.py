"""Streams a run's logs from S3 as they grow (see agent/log_shipper.py for how they lie there)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client

# What is shown of a log that is already there when the watching begins.
FIRST_LINES = 20
# A log that has moved on begins otherwise than its last part, within this much; lines have their times.
HEAD_BYTES = 256
_CHANGED = {"PreconditionFailed", "InvalidRange", "NoSuchKey", "404", "412", "416"}
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_NAME = re.compile(r"^(?P<log>.+)\.log(?:\.(?P<part>\d+))?$")


@dataclass
class _Read:
    """How far a log was read: `part` is the next full one, `offset` the bytes read of it, or of the log in its place."""

    part: int = 0
    offset: int = 0
    head: bytes = b""  # how what `offset` counts in begins
    last_head: bytes = b""  # how the part before began
    rest: bytes = b""  # a line that has not ended


class Tail:
    """The logs below a prefix. `new_lines` returns what came since the last call."""

    def __init__(self, s3: S3Client, bucket: str, prefix: str, names: Sequence[str]) -> None:
        """`names` are logs without their ending (`training`), of every instance of the run."""
        self._s3, self._bucket, self._prefix, self._names = s3, bucket, prefix, set(names)
        self._read: dict[str, _Read] = {}
        self._begun = False

    def new_lines(self, *, last: bool = False) -> list[str]:
        """Return the new lines of all logs, each behind the name of its log; `last`: also one that has not ended.

        Raises TrainingError when S3 refuses.
        """
        with aws.explained(f"read the logs below s3://{self._bucket}/{self._prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = {one["Key"][len(self._prefix) :]: one for page in pages for one in page.get("Contents", [])}
            logs: dict[str, dict[int | None, Mapping[str, Any]]] = {}
            for name, one in found.items():
                match = _NAME.match(name)
                if match and match["log"].rsplit("/", 1)[-1] in self._names:
                    part = None if match["part"] is None else int(match["part"])
                    logs.setdefault(match["log"], {})[part] = one
            lines = [line for log in sorted(logs) for line in self._of(log, logs[log], last)]
            self._begun = True
            return lines

    def _of(self, log: str, there: dict[int | None, Mapping[str, Any]], last: bool) -> list[str]:
        if log not in self._read:
            full = [part for part in there if part is not None]
            # Of what was there before the watching began, what is older is in the bucket for whoever wants it.
            self._read[log] = _Read(part=max(full, default=0) if not self._begun else 0)
        at = self._read[log]
        new = b""
        while at.part in there:
            new += self._from(there[at.part], at) or b""
            if at.offset < there[at.part]["Size"]:
                break  # it was rewritten between listing and reading
            at.part, at.offset, at.last_head, at.head = at.part + 1, 0, at.head, b""
        if at.part not in there and None in there:
            new += self._growing(there[None], at)
        whole, _, at.rest = (at.rest + new).rpartition(b"\n")
        lines = [_shown(line) for line in whole.split(b"\n")] if whole else []
        if last and at.rest:
            lines, at.rest = [*lines, _shown(at.rest)], b""
        shown = lines if self._begun else lines[-FIRST_LINES:]
        return [f"{log} | {line}" for line in shown]

    def _growing(self, one: Mapping[str, Any], at: _Read) -> bytes:
        if one["Size"] < at.offset:  # somebody started it over
            at.offset, at.head = 0, b""
        if one["Size"] == at.offset:
            return b""
        before = (at.offset, at.head)
        new = self._from(one, at)
        if before[0] == 0 and at.last_head and at.last_head.startswith(new[:HEAD_BYTES]):
            at.offset, at.head = before  # the part's own bytes: the log has not moved on yet
            return b""
        return new

    def _from(self, one: Mapping[str, Any], at: _Read) -> bytes:
        """Return the bytes of this very version from where reading stopped; none if it has changed meanwhile."""
        if one["Size"] <= at.offset:
            return b""
        try:
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=one["Key"], Range=f"bytes={at.offset}-", IfMatch=one["ETag"]
            )
            new: bytes = answer["Body"].read()
        except ClientError as error:
            if aws.error_code(error) in _CHANGED:
                return b""
            raise
        at.head = (at.head + new)[:HEAD_BYTES]
        at.offset += len(new)
        return new


def _shown(line: bytes) -> str:
    """Return a line as a terminal would show it, without what would move its cursor or colour it."""
    text = line.rstrip(b"\r").rsplit(b"\r", 1)[-1].decode(errors="replace")
    return _CONTROL.sub("", text)

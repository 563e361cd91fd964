"""The audit log (R28): one small object for each command that changed something, written once and never again.

An object of its own for each event, because S3 cannot append: two commands at the same time cannot lose each other's line.
The log tells; it decides nothing. A command whose event cannot be stored says so and continues, and one that dies
leaves none: reconciling after it relies on the state and the tags alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chronos_training
from chronos_training.ansible import changes
from chronos_training.control.launch.owner import user
from chronos_training.control.publish.agent import git_commit
from chronos_training.control.text_table import aligned
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import read_json
from chronos_training.core.wire import STATE_CONFIG

Emit = Callable[[str], None]
SCHEMA_VERSION = 1
LAUNCH, KILL, TAKEOVER, FIX, PUBLISH = ("launch", "kill", "takeover", "fix", "publish")
SUCCEEDED, FAILED, INTERRUPTED = "succeeded", "failed", "interrupted"
CHECKOUT = Path(chronos_training.__file__).parents[3]


@dataclass(frozen=True)
class Log:
    """Where the events of an environment go; `emit` hears of one that could not be stored."""

    bucket: str
    env: str
    region: str | None
    emit: Emit


@dataclass
class Entry:
    """What a command tells of itself while it works. `run_id` is the run it was about, if any."""

    run_id: str | None = None
    message: str = ""
    error_code: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    nothing_done: bool = False
    caller: str = ""  # the ARN of the credentials, where the command knows it without asking


def record(log: Log, event: str, entry: Entry, result: str = SUCCEEDED) -> None:
    """Store one event. Never raises: what could not be stored is said."""
    now = utc_now()
    body = {
        "schema_version": SCHEMA_VERSION,
        "at": iso(now),
        "event": event,
        "env": log.env,
        "result": result,
        "run_id": entry.run_id,
        "message": entry.message,
        "error_code": entry.error_code,
        "user": user(),
        "host": socket.gethostname(),
        "arn": entry.caller or None,
        "aws_profile": os.environ.get("AWS_PROFILE"),
        "commit": git_commit(CHECKOUT) if (CHECKOUT / ".git").exists() else "unknown",
        "details": entry.details,
    }
    key = layout.audit_key(log.env, now, event, secrets.token_hex(4))
    try:
        # One attempt with short time-outs: the command is done, and whoever waits for it wants its answer.
        s3 = aws.client("s3", region=log.region or None, config=STATE_CONFIG)
        with changes.not_counted(), aws.explained(f"write s3://{log.bucket}/{key}"):
            s3.put_object(
                Bucket=log.bucket,
                Key=key,
                Body=(json.dumps(body, indent=2) + "\n").encode(),
                ContentType="application/json",
                IfNoneMatch="*",  # the user policy allows no other write here: nobody rewrites an event
            )
    except Exception as error:  # whatever it is, what the command did stands
        log.emit(f"warning: this {event} is missing from the audit log, which does not affect its result: {error}")


@contextlib.contextmanager
def recorded(log: Log, event: str, run_id: str | None = None) -> Iterator[Entry]:
    """Store what the block does as one event when it ends, also when it fails, unless it says that it did nothing."""
    entry, result = Entry(run_id), SUCCEEDED
    try:
        yield entry
    except TrainingError as error:
        entry.message, entry.error_code, result = error.message, error.code, FAILED
        raise
    except BaseException as error:
        entry.message, result = type(error).__name__, INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
        entry.error_code = "internal_error" if result == FAILED else None
        raise
    finally:
        if not entry.nothing_done or result != SUCCEEDED:
            record(log, event, entry, result)


def events(s3: S3Client, bucket: str, env: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest `limit` events, newest first. TrainingError when they cannot be read."""
    keys = _newest(s3, bucket, layout.audit_prefix(env), limit)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: read_json(s3, bucket, key), keys))
    return [event for event in found if event is not None]


def _newest(s3: S3Client, bucket: str, prefix: str, limit: int) -> list[str]:
    """Return the last `limit` keys below `prefix`, last first; a request for each year, month and day that is looked at."""
    with aws.explained(f"list s3://{bucket}/{prefix}"):
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"))
    keys = sorted((one["Key"] for page in pages for one in page.get("Contents", [])), reverse=True)
    for folder in sorted((one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])), reverse=True):
        if len(keys) >= limit:
            break
        keys += _newest(s3, bucket, folder, limit - len(keys))
    return keys[:limit]


def table(found: list[dict[str, Any]]) -> list[str]:
    """Return the events as lines for a terminal, newest first, what went wrong under its event.

    A message is cut to the width of a terminal; the event itself has all of it.
    """
    rows = [("when (UTC)", "event", "result", "run or object", "by", "commit")]
    for event in found:
        about = event["run_id"] or event["details"].get("object") or "-"
        by = f"{event['user']}@{event['host']}"
        rows.append((_when(event["at"]), event["event"], event["result"], about, by, _short(event["commit"])))
    lines = aligned(rows)
    head, told = [lines[0], "-" * max(map(len, lines))], []
    for line, event in zip(lines[1:], found, strict=True):
        told.append(line)
        if event["message"]:
            told.append(f"    {textwrap.shorten(event['message'], 96, placeholder=' …')}")
    return head + told


def _when(at: str) -> str:
    return at.replace("T", " ").removesuffix("Z")


def _short(commit: str) -> str:
    """Return a commit as git shows it to people: seven digits, and whether the checkout was changed."""
    return re.sub(r"^([0-9a-f]{7})[0-9a-f]{33}", r"\1", commit)

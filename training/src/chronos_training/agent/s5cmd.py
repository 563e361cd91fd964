"""s5cmd, the program that copies many or large objects at once. It lies in the agent package, beside our code."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import chronos_training
from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
END_SECONDS = 5.0  # between its last word and its end
# It waits for ever on a line that went silent; a minute without a byte hands the rest to boto3, which has time limits.
STALL_SECONDS = 60.0
WORKERS = 256  # its default
# Parts of 16 MB, 16 at a time, for one large object; its default is 50 MB, 5 at a time.
LARGE_PART_MB, PART_MB = 16, 50
LARGE = ("--concurrency", "16", "--part-size", str(LARGE_PART_MB))


def program() -> Path | None:
    """Return the program in the agent package, or None where the package has none that this user may start."""
    path = Path(chronos_training.__file__).parents[2] / "bin/s5cmd"
    return path if os.access(path, os.X_OK) else None


def variables(s3: S3Client) -> dict[str, str]:
    """Return the environment for a run of s5cmd with the region and credentials that boto3 uses now.

    Handed over, because s5cmd would ask the metadata service itself, by other rules than boto3's.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "S3_"))}
    with aws.explained("get credentials"):
        found = aws.credentials()
    kept |= {"AWS_ACCESS_KEY_ID": found.access_key, "AWS_SECRET_ACCESS_KEY": found.secret_key}
    if found.token:
        kept["AWS_SESSION_TOKEN"] = found.token
    # Without a region it asks for the bucket's, which the instance's role may not.
    kept |= {"AWS_REGION": s3.meta.region_name, "AWS_EC2_METADATA_DISABLED": "true"}
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if os.environ.get(name):
            return kept | {"S3_ENDPOINT_URL": os.environ[name]}
    return kept


def run(
    path: Path,
    s3: S3Client,
    commands: Iterable[str],
    copied: Callable[[str, str], None],
    done_bytes: Callable[[], int],
    workers: int = WORKERS,
) -> str:
    """Run `commands` (words quoted as for a shell), `workers` objects at once; return the first error, empty for none.

    `copied(source, destination)` is called in another thread after each copy; `done_bytes` is asked often, and what it
    raises ends the program. Ends early, with a sentence, when no byte arrives for a minute.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".s5cmd") as script, tempfile.TemporaryFile("w+") as errors:
        script.write("\n".join(commands) + "\n")
        script.flush()
        process = subprocess.Popen(
            [str(path), "--json", "--numworkers", str(workers), "run", script.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=variables(s3),
        )
        reader = threading.Thread(target=_read, args=(process, copied), name="s5cmd", daemon=True)
        reader.start()
        try:
            stalled = _watch(reader, done_bytes)
            if not stalled:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)
        finally:
            process.kill()
            process.wait()
            reader.join()
        if stalled:
            return f"no data arrived for {STALL_SECONDS:.0f} s"
        errors.seek(0)
        return _first_error(errors.read()) if process.returncode else ""


def _watch(reader: threading.Thread, done_bytes: Callable[[], int]) -> bool:
    """Wait until the program has said all, which it does at its end. Returns True when it makes no progress any more."""
    seen, since = -1, time.monotonic()
    while True:
        # The end of what it says is an event; to wait for a process is to look every 50 ms.
        reader.join(POLL_SECONDS)
        if not reader.is_alive():
            return False
        now = done_bytes()
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STALL_SECONDS:
            return True


def _read(process: subprocess.Popen[str], copied: Callable[[str, str], None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            with contextlib.suppress(ValueError, KeyError):  # a line that was cut when the program was ended
                message = json.loads(line)
                copied(message["source"], message["destination"])


def _first_error(said: str) -> str:
    for line in said.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["error"])
    return (said.strip().splitlines() or ["it said nothing"])[0]

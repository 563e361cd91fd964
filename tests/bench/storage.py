"""The S3 server that is measured against: the embedded AWS, and the product's own way to talk to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chronos_training.agent import s5cmd
from chronos_training.control.publish import s5cmd_program
from chronos_training.core import aws as clients
from local_aws.testing import EmbeddedAws

BUCKET = "bench"


@contextlib.contextmanager
def storage(folder: Path) -> Iterator[tuple[Any, Path, EmbeddedAws]]:
    """An S3 client with an empty bucket, s5cmd, and the server. The product's code in this process finds the same server."""
    server = EmbeddedAws(folder / "aws")
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(server.env)
    clients._session = None
    program = folder / "s5cmd"  # where an instance finds it: beside the agent's code
    found = s5cmd_program.for_this_machine()
    if found is None:
        raise SystemExit("bench: s5cmd has no program for this machine")
    program.write_bytes(found)
    program.chmod(0o755)
    packaged, s5cmd.program = s5cmd.program, lambda: program
    s3 = clients.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    try:
        yield s3, program, server
    finally:
        s5cmd.program = packaged
        server.stop()
        os.environ.clear()
        os.environ.update(before)
        clients._session = None

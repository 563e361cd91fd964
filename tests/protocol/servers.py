"""S3 servers that were not written here, as processes on the loopback: MiniStack and moto as it is published."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from chronos_training.core.wire import STATE_CONFIG
from local_aws.home import ACCESS_KEY, SECRET_KEY

ROOT = Path(__file__).resolve().parents[2]
# moto checks a condition and writes later, without a lock: thread switches in between are made likely.
STOCK_MOTO = "import sys; sys.setswitchinterval(1e-6); from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class NotToBeHad(Exception):
    """The server could not be installed: no package index answered."""


def client(endpoint: str) -> Any:
    """A client with the state store's own settings: one attempt, short time-outs."""
    return boto3.session.Session().client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        # The embedded AWS knows its own keys only; the others take any.
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=STATE_CONFIG.merge(type(STATE_CONFIG)(max_pool_connections=64, s3={"addressing_style": "path"})),
    )


@contextlib.contextmanager
def serving(command: list[str], port: int, log: Path, **variables: str) -> Iterator[str]:
    """Run `command` until the block ends; gives the endpoint as soon as the port is open."""
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env={**os.environ, **variables})
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stock_moto(folder: Path) -> Iterator[str]:
    """moto as it is published, on a free port."""
    port = free_port()
    with serving([sys.executable, "-c", STOCK_MOTO, str(port)], port, folder / "moto.log") as endpoint:
        yield endpoint


@contextlib.contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """MiniStack on a free port of the loopback; installed on first use."""
    port = free_port()
    variables = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
    with serving([str(_ministack_program())], port, folder / "ministack.log", **variables) as endpoint:
        yield endpoint


def _ministack_program() -> Path:
    requirements = Path(__file__).with_name("ministack.txt")
    digest = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()[:16]
    final = ROOT / ".cache" / "ministack" / digest
    if not (final / "complete").exists():
        shutil.rmtree(final, ignore_errors=True)
        venv.create(final, with_pip=True)
        command = [str(final / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        result = subprocess.run(
            [*command, "--no-deps", "--requirement", str(requirements)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise NotToBeHad(result.stderr.strip().splitlines()[-1])
        (final / "complete").touch()
    return final / "bin/ministack"

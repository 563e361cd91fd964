"""A program whose output cannot be written ends there: with one sentence, or quietly when the reader went."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import sys, time
from chronos_training.core.output import run
def main():
    print("a" * 100, flush={flush})
    time.sleep(60 * {flush})
    return {code}
raise SystemExit(run(main))
"""


def ran(output: Any, *, flush: bool, code: int = 0) -> tuple[int, str]:
    environment = os.environ | {"PYTHONUNBUFFERED": ""}
    line = [sys.executable, "-c", PROGRAM.format(flush=flush, code=code)]
    done = subprocess.run(line, stdout=output, stderr=subprocess.PIPE, text=True, env=environment, timeout=50)
    return done.returncode, done.stderr


@pytest.mark.parametrize("flush", [True, False])
def test_a_full_disk(flush: bool) -> None:
    with open("/dev/full", "wb") as full:
        said = "ERROR: The output could not be written: No space left on device.\n"
        assert ran(full, flush=flush) == (1, said)
        assert flush or ran(full, flush=flush, code=7) == (7, said)


@pytest.mark.parametrize("flush", [True, False])
def test_a_reader_who_has_gone(flush: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert ran(writer, flush=flush) == (0, "")
    os.close(writer)

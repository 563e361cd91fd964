"""A program of the package in a process of its own, without the four seconds of its imports.

It is forked from a server that has imported them and done nothing else: no thread, no random number, no working folder of a
test. What is about the start itself, signals or several processes takes a fresh interpreter, and so does AutoGluon: what it
imports starts threads, and a fork of those may stand still.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.training.warm_imports"])


def run(module: str, words: Sequence[str], *, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run `python -m module words` to its end. Raises TimeoutExpired like subprocess.run."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = SERVER.Process(target=_main, args=(module, list(words), str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *words], timeout, out.read_bytes(), err.read_bytes())
        said = [path.read_text(encoding="utf-8") for path in (out, err)]
    return subprocess.CompletedProcess([module, *words], process.exitcode, *said)


def _main(module: str, words: list[str], out: str, err: str) -> None:
    for path, descriptor in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - to the end of the process
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)

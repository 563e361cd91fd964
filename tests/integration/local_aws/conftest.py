"""Fixtures of the embedded AWS's own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local_aws import control, processes
from local_aws.home import HOME_VARIABLE, REPOSITORY_ROOT, Home


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """run_cli("status", "--json", home=PATH): the command line in a process of its own. Checks nothing."""

    def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, HOME_VARIABLE: str(home), "PYTHONPATH": str(REPOSITORY_ROOT)}
        command = [sys.executable, "-m", "local_aws", *words]
        return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=90, check=False)

    return run


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[Path]:
    """A state folder with nothing in it; whatever a test starts there is ended."""
    path = tmp_path / "aws"
    yield path
    control.stop(Home(path))


@pytest.fixture
def machine_processes() -> Callable[[Path], list[psutil.Process]]:
    """Living processes inside machines of a home, and their managers."""

    def find(home: Path) -> list[psutil.Process]:
        found = processes.marked(Home(home).machine_marker())
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
            except psutil.Error:
                continue
            if (
                "local_aws.machine" in words
                and any(str(home) in word for word in words)
                and processes.is_alive(process)
            ):
                found.append(process)
        return found

    return find

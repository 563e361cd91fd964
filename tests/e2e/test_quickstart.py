"""The quickstart, word for word: its commands are read from the page and run as a person would, in its order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.unit.docs.pages import commands, section

from .operator import BIN, ROOT, Operator, eventually

PAGE = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
LINES = commands(section(PAGE, "On this machine"))


@pytest.fixture
def administrator(account):
    """Return the one who owns the account: the quickstart also provisions."""
    assert account.state() is None
    return Operator(account.aws)


def test_the_quickstart_word_for_word(administrator):
    assert [line.split()[1] for line in LINES] == [
        "provision", "runtime", "dataset", "launch", "monitor", "fetch", "verify",
    ]  # fmt: skip
    environment = {**os.environ, **administrator.aws.env, "LC_ALL": "C.UTF-8", "PATH": f"{BIN}:{os.environ['PATH']}"}
    said = {}
    for line in LINES:
        done = subprocess.run(
            ["sh", "-c", line], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said[line.split()[1]] = done.stdout
    run_id = re.search(r"run +(\d{8}-\d{6}) in local", said["launch"])[1]
    assert f"run {run_id}: completed" in said["monitor"]
    assert "clean: nothing is running" in said["verify"]
    report = ROOT / "results/local" / run_id / "report.html"
    try:
        assert report.is_file() and f"results/local/{run_id}/report.html" in said["fetch"]
        eventually(lambda: administrator.live_instances() == [], "the end of the instance")
    finally:
        shutil.rmtree(report.parent, ignore_errors=True)

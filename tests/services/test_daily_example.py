"""The page's daily chain, word for word: made with the AWS CLI, sixty days let pass, and looked at as the page does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from local_aws.home import HOME_VARIABLE
from local_aws.testing import wait_for
from tests.integration.local_aws.test_server_life import daemons

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/embedded-aws.md").read_text(encoding="utf-8")
TYPED = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)


@pytest.fixture
def shell(tmp_path: Path):
    """A shell of somebody who types one line after the other; each line's output is returned."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {HOME_VARIABLE: str(tmp_path / "home"), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        ["bash"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def types(line: str) -> str:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{line}\nprintf '\\nexit code %s\\n' $?\n")  # on a line of its own whatever was printed
        process.stdin.flush()
        said = []
        for answer in process.stdout:
            if answer.startswith("exit code "):
                assert answer.strip() == "exit code 0", f"{line}\n{''.join(said)}"
                return "".join(said)
            said.append(answer)
        raise AssertionError(f"the shell ended at {line}\n{''.join(said)}")

    yield types
    process.communicate("python -m local_aws reset\n", timeout=60)


@pytest.mark.services
def test_the_page_word_for_word(shell, tmp_path: Path) -> None:
    said = {line: shell(line) for line in TYPED}

    def of(part: str) -> str:
        return next(text for line, text in said.items() if part in line)

    assert "Traceback" not in "".join(said.values())
    executions = of('list-executions --state-machine-arn "$chain" --query')
    assert executions.count("FAILED") in (1, 2) and executions.count("SUCCEEDED") >= 57
    days = re.findall(r"(\d{4}-\d\d-\d\d)\.json", of("s3 ls s3://daily"))
    assert len(days) == len(set(days)) and not [day for day in days if day.endswith("-04")]
    assert 40 <= len(days) <= 44
    assert of("get-execution-history").split()[-1] == "ExecutionFailed"
    assert "there are no data of" in of("filter-log-events")
    mails = said["python -m local_aws mail"]
    assert mails.count('ALARM: "daily-failed"') == executions.count("FAILED")
    assert mails.count('OK: "daily-failed"') == executions.count("FAILED") + 1
    assert len(daemons(tmp_path / "home")) == 1
    shell("python -m local_aws stop")
    wait_for(lambda: not daemons(tmp_path / "home"), "the daemon to end")

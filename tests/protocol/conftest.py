"""Prints what was explored (`summary.say`) at the end of the run, whatever the verbosity."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.summary import LINES

_RECEIVED = "protocol_lines"


def pytest_sessionfinish(session: pytest.Session) -> None:
    # In a worker of xdist the lines travel to the controller with the worker's results.
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_RECEIVED] = list(LINES)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    LINES.extend(getattr(node, "workeroutput", {}).get(_RECEIVED, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LINES:
        terminalreporter.section("protocol")
        for line in LINES:
            terminalreporter.write_line(line)

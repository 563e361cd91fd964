"""Fixtures for every test. The embedded AWS of a test session is its own, in a temporary folder, and ends with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local_aws.testing import EmbeddedAws

# A shell's background job ignores Ctrl-C, and so would every process that a test starts in one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One server for the whole session (for each worker of xdist). Tests want `aws`."""
    from local_aws.testing import EmbeddedAws  # the environment of volatility/ does not have what it needs

    server = EmbeddedAws(tmp_path_factory.mktemp("aws") / "home")
    yield server
    server.stop()


@pytest.fixture
def aws(embedded_aws: EmbeddedAws) -> EmbeddedAws:
    """An empty account: has .endpoint, .home, .env (for subprocesses), .client(name), and helpers for instances."""
    embedded_aws.reset()
    return embedded_aws

"""Fixtures of the tests of Lambda."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture
def meeting() -> Iterator[str]:
    """A folder that functions see, too: not in /tmp, of which each has its own."""
    folder = tempfile.mkdtemp(dir="/dev/shm")
    yield folder
    shutil.rmtree(folder)

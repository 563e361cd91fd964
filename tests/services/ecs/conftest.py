"""One account for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.testing import EmbeddedAws

from .account import EcsAccount


@pytest.fixture
def account(aws: EmbeddedAws, tmp_path: Path) -> EcsAccount:
    return EcsAccount(aws, tmp_path)

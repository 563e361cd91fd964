"""One account for each test."""

from __future__ import annotations

import pytest

from local_aws.testing import EmbeddedAws

from .account import EcsAccount


@pytest.fixture
def account(aws: EmbeddedAws) -> EcsAccount:
    return EcsAccount(aws)

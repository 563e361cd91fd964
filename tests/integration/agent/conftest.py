"""What the instance's parts are tried on: the embedded AWS, which takes injected faults, and whose requests are counted."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.testing import EmbeddedAws


@pytest.fixture
def s3(aws: EmbeddedAws, request: pytest.FixtureRequest) -> Any:
    """A client, with the module's BUCKET made; requests are counted from here."""
    client = aws.client("s3")
    client.create_bucket(Bucket=request.module.BUCKET)
    aws.forget_requests()
    return client

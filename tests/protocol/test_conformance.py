"""The primitive against S3 servers: two that were not written here must do, and stock moto must be caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronos_training.core.probe import check_conditions
from local_aws.testing import EmbeddedAws
from tests.protocol.conformance import Races, answers, races
from tests.protocol.servers import NotToBeHad, client, ministack, stock_moto
from tests.protocol.summary import say

WRITERS = 16


def conforms(name: str, endpoint: str, rounds: int) -> None:
    s3 = client(endpoint)
    s3.create_bucket(Bucket="conformance")
    check_conditions(s3, "conformance", "local")
    assert answers(s3, "conformance") == []
    found = races(lambda: client(endpoint), "conformance", writers=WRITERS, rounds=rounds)
    assert found == Races(rounds)
    say(f"conformance: {name}: {WRITERS} writers, {3 * rounds} races, one winner each; lost increments 0")


def test_the_embedded_aws(aws: EmbeddedAws):
    conforms("moto behind the embedded AWS's lock", aws.endpoint, 5)


@pytest.mark.protocol
def test_the_embedded_aws_long(aws: EmbeddedAws):
    conforms("moto behind the embedded AWS's lock", aws.endpoint, 100)


@pytest.mark.protocol
def test_ministack(tmp_path: Path):
    try:
        with ministack(tmp_path) as endpoint:
            conforms("MiniStack", endpoint, 100)
    except NotToBeHad as error:
        say(f"conformance: MiniStack NOT TRIED: {error}")
        pytest.skip(f"MiniStack could not be installed: {error}")


@pytest.mark.protocol
def test_stock_moto_is_caught(tmp_path: Path):
    """It answers rightly when it is alone with one writer, so only the races tell."""
    with stock_moto(tmp_path) as endpoint:
        s3 = client(endpoint)
        s3.create_bucket(Bucket="conformance")
        assert answers(s3, "conformance") == []
        found = races(lambda: client(endpoint), "conformance", writers=WRITERS, rounds=100)
    say(f"conformance: stock moto is caught: {found}")
    assert found.wrong > 0

"""The deployed API, through API Gateway, from its image: what it answers, to whom, and what changes while it answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.volatility.deployed import FREELY, Deployed, forecasts

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def api(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A whole service, deployed once; a test leaves it as it found it."""
    embedded_aws.reset()
    folder = tmp_path_factory.mktemp("volatility")
    made = Deployed(embedded_aws, forecasts(folder / "data"))
    made.provision()
    made.publish(folder / "context")
    made.store(folder / "data")
    assert made.deploy("--check", "--diff", *FREELY) == 5, made.outputs[-1]
    assert embedded_aws.client("apigateway").get_rest_apis()["items"] == []
    assert made.deploy(*FREELY) == 5, made.outputs[-1]
    yield made


def test_a_second_pass_and_its_preview_change_nothing(api: Deployed) -> None:
    for more in ((), ("--check", "--diff")):
        assert api.deploy(*FREELY, *more) == 0, api.outputs[-1]


def test_the_smoke_test_says_what_each_path_answers(api: Deployed) -> None:
    output = api.play("check_volatility")
    for said in ("/health: 200", "/ready: 200", "/info: 200", "/predict: 200", f"after {api.facts['session']}",
                 "/predict without a key: 403"):  # fmt: skip
        assert said in output, output


def test_it_answers_with_the_stored_forecast_and_with_that_of_given_features(api: Deployed) -> None:
    stored = api.ask("/predict", {})
    assert stored.status == 200 and stored.body["as_of_date"] == api.facts["session"]
    given = api.ask("/predict", {"feature_vector": api.facts["features"]})
    assert given.status == 200 and given.body["rv_5d_hat"] == pytest.approx(stored.body["rv_5d_hat"], rel=1e-9)
    assert given.body["model_version"] == api.facts["serving"] == api.ask("/info").body["model_version"]
    assert api.ask("/predict", {"as_of_date": "1999-12-31"}).status == 404

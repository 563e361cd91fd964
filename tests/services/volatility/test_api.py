"""The deployed API, through API Gateway, from its image: what it answers, to whom, and what changes while it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.volatility.http import Answer
from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws, wait_for
from tests.services.volatility.deployed import BUCKET, FREELY, SECRET, Deployed, forecasts

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


def features_but(api: Deployed, name: str, value: Any) -> dict[str, Any]:
    assert name in api.facts["features"]
    return {"feature_vector": {**api.facts["features"], name: value}}


# What is sent, the status, and a part of the sentence. 400 is API Gateway's own: the body is not what the file describes.
WRONG: list[tuple[str, Any, int, str]] = [
    ("no JSON", b"{", 400, "parse"),
    ("a brace too many", b"{}}", 400, "parse"),
    ("nested without end", b"[" * 20000, 400, ""),
    ("no text", b"\xff\xfe", 400, ""),
    ("a list", [], 400, "object"),
    ("a text", "2026-11-27", 400, "object"),
    ("a number", 3, 400, "object"),
    ("null", b"null", 400, "object"),
    ("true", True, 400, "object"),
    ("an unknown field", {"date": "2026-11-27"}, 400, "date"),
    ("a field in another case", {"As_Of_Date": "2026-11-27"}, 400, "As_Of_Date"),
    ("a number as a date", {"as_of_date": 20261127}, 400, "string"),
    ("no date", {"as_of_date": None}, 400, "string"),
    ("a list as a date", {"as_of_date": ["2026-11-27"]}, 400, "string"),
    ("a date and a time", {"as_of_date": "2026-11-27T00:00"}, 400, "match"),
    ("an American date", {"as_of_date": "11/27/2026"}, 400, "match"),
    ("a week date", {"as_of_date": "2026-W48-5"}, 400, "match"),
    ("an empty date", {"as_of_date": ""}, 400, "match"),
    ("a path as a date", {"as_of_date": "../../etc/passwd"}, 400, "match"),
    ("a statement as a date", {"as_of_date": "2026-11-27'; DROP TABLE x"}, 400, "match"),
    ("a month too many", {"as_of_date": "2026-13-01"}, 422, "not a date"),
    ("a day too many", {"as_of_date": "2026-02-30"}, 422, "not a date"),
    ("the year 0", {"as_of_date": "0000-01-01"}, 422, "not a date"),
    ("no session", {"as_of_date": "2026-11-29"}, 404, "nearest session with one is"),
    ("long ago", {"as_of_date": "1929-10-29"}, 404, "nearest session with one is"),
    ("to come", {"as_of_date": "9999-12-31"}, 404, "nearest session with one is"),
    ("features as a list", {"feature_vector": [1, 2]}, 400, "object"),
    ("features as a text", {"feature_vector": "all"}, 400, "object"),
    ("a feature as a text", {"feature_vector": {"ln_parkinson_1": "-9"}}, 400, "number"),
    ("a feature without a value", {"feature_vector": {"ln_parkinson_1": None}}, 400, "number"),
    ("no features", {"feature_vector": {}}, 422, "lacks"),
    ("one feature of all", {"feature_vector": {"ln_parkinson_1": -9.0}}, 422, "lacks"),
    ("an unknown feature", {"feature_vector": {"moon_phase": 0.5}}, 422, ""),
    ("too large", {"feature_vector": {"x" * 70000: 1}}, 422, "64 KiB"),
    ("an absurd value", lambda api: features_but(api, "ln_parkinson_1", 1e300), 422, "no feature is larger"),
    ("no variance", lambda api: features_but(api, "ln_parkinson_1", 900.0), 422, "logarithm of a day's variance"),
    ("a value that was never seen", lambda api: features_but(api, "leverage_5", 900.0), 422, "what was seen"),
]


@pytest.mark.parametrize(("body", "status", "said"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_wrong_request_gets_its_status_and_a_sentence(api: Deployed, body: Any, status: int, said: str) -> None:
    answer = api.ask("/predict", body(api) if callable(body) else body)
    assert answer.status == status, answer
    assert set(answer.body) == {"error", "message"} and said in answer.sentence, answer
    assert answer.body["message"].endswith((".", "!"))


@pytest.mark.parametrize(
    ("path", "body", "key", "status"),
    [
        ("/predict", {}, "", 403),
        ("/predict", {}, "0" * 40, 403),
        ("/info", None, "", 403),
        ("/predict", None, None, 404),
        ("/nowhere", None, None, 404),
        ("/health", {}, None, 404),
        ("/docs", None, None, 404),
    ],
)
def test_who_has_no_key_or_another_path_is_told(api: Deployed, path: str, body: Any, key: Any, status: int) -> None:
    answer = api.ask(path, body, key=key)
    assert (answer.status, set(answer.body)) == (status, {"error", "message"})
    assert answer.body["message"].endswith(".")


def test_a_key_that_calls_too_often_is_throttled_and_another_is_not(api: Deployed) -> None:
    hasty = api.plan("hasty", throttle={"rateLimit": 0.001, "burstLimit": 2})
    used = api.plan("used", quota={"limit": 2, "period": "DAY"})
    for key, error in ((hasty, "too_many_requests"), (used, "quota_exceeded")):
        assert [api.ask("/info", key=key).status for _ in range(3)] == [200, 200, 429]
        answer = api.ask("/info", key=key)
        assert (answer.status, answer.body["error"]) == (429, error) and answer.sentence.endswith(".")
        assert api.ask("/info").status == 200


def under_load(api: Deployed, clients: int, change: Callable[[], None], body: Any = None) -> list[Answer]:
    """The answers to clients that ask one after the other, from before `change` begins until after it has ended."""
    asked = {"feature_vector": api.facts["features"]} if body is None else body
    over = threading.Event()

    def client() -> list[Answer]:
        answers = [api.ask("/predict", asked)]
        while not over.is_set():
            answers.append(api.ask("/predict", asked))
        return [*answers, api.ask("/predict", asked)]

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(client) for _ in range(clients)]
        try:
            change()
        finally:
            over.set()
        return [answer for one in running for answer in one.result()]


def test_a_deployment_under_load_is_met_by_no_error(api: Deployed) -> None:
    def change() -> None:
        assert api.deploy(*FREELY, "-e", "volatility_api_memory_mb=640", "-e", "volatility_api_weight=0.5") == 1
        assert api.deploy(*FREELY, "-e", "volatility_api_memory_mb=640") == 1

    answers = under_load(api, 3, change)
    wrong = [answer for answer in answers if answer.status != 200]
    assert not wrong and len(answers) > 50, wrong[:3]
    assert api.deploy(*FREELY) == 1


def promote(api: Deployed, version: str) -> None:
    """Change the pointer as the step `gate` does: in one write."""
    s3 = api.aws.client("s3")
    found = s3.get_object(Bucket=BUCKET, Key="models/champion.json")
    pointer = json.loads(found["Body"].read())
    pointer["version"] = version
    pointer["history"].append({**pointer["history"][-1], "version": version})
    body = json.dumps(pointer).encode()
    s3.put_object(Bucket=BUCKET, Key="models/champion.json", Body=body, IfMatch=found["ETag"])


def test_a_promotion_under_load_is_met_by_no_error_and_no_half_model(api: Deployed) -> None:
    def serves(version: str) -> Callable[[], bool]:
        def by_all() -> bool:
            with ThreadPoolExecutor(6) as pool:  # more at once than there are environments that the clients began
                answers = list(pool.map(lambda _: api.ask("/ready").body.get("model_version"), range(24)))
            return set(answers) == {version}

        return by_all

    def change() -> None:
        promote(api, api.facts["other"])
        # An environment looks for another champion once a minute.
        wait_for(serves(api.facts["other"]), "the other model to serve", interval=0.5)

    # The other model takes fewer features; what is the same for both is a stored session, and what /info says.
    stored = under_load(api, 3, change, {"as_of_date": api.facts["session"]})
    assert {answer.status for answer in stored} == {200} and len({str(answer.body) for answer in stored}) == 1
    assert len(stored) > 50, len(stored)
    promote(api, api.facts["serving"])
    wait_for(serves(api.facts["serving"]), "the model before it to serve", interval=0.5)


def test_ten_times_the_load_gets_429_and_no_5xx(api: Deployed) -> None:
    api.deploy()  # the limits that a stack has by default
    try:
        with ThreadPoolExecutor(40) as pool:
            statuses = [one.status for one in pool.map(lambda _: api.ask("/predict", {}), range(400))]
        assert set(statuses) == {200, 429}, sorted(set(statuses))
        other = api.plan("other", throttle={"rateLimit": 5, "burstLimit": 5})
        assert api.ask("/predict", {}, key=other).status == 200
    finally:
        api.deploy(*FREELY)


def cold_starts(api: Deployed) -> int:
    return sum('"platform.initStart"' in line for line in api.log("/aws/lambda/volatility-local-api"))


def test_the_load_test_counts_cold_starts_and_fails_above_its_limits(api: Deployed) -> None:
    few = ("-e", "volatility_load_test_users=2", "-e", "volatility_load_test_seconds=8")
    assert api.deploy(*FREELY, "-e", "volatility_api_memory_mb=768") == 1  # a version that no environment has begun
    before = cold_starts(api)
    output = api.play("load_test_volatility", *few, "-e", "volatility_load_test_p95_milliseconds=25000")
    assert " requests, 0 errors" in output and "95 % within" in output
    assert cold_starts(api) > before
    assert api.deploy(*FREELY) == 1
    output = api.play("load_test_volatility", *few, "-e", "volatility_load_test_p95_milliseconds=1", status=1)
    assert "95 % of the answers took up to" in output


# A model's features are in no schema, so a request may be as described and yet be refused with 422. API Gateway has one answer
# for a path and for a method that there is not.
SCHEMATHESIS = """
headers = {{ "x-api-key" = "{key}" }}
[checks]
positive_data_acceptance.expected-statuses = [200, 404, 422]
"""


def test_schemathesis_finds_nothing(api: Deployed, tmp_path: Path) -> None:
    packages = subprocess.run(
        [sys.executable, "tools/group_packages.py", "clients"], cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS.format(key=api.key))
    document = REPOSITORY_ROOT / "volatility/src/chronos_volatility/serving/openapi.json"
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", api.url, "--seed", "1",
         "--max-examples", "40", "--checks", "all", "--exclude-checks", "unsupported_method", "--generation-database", "none"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": packages}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Tested: 4" in done.stdout, done.stdout + done.stderr


def test_a_key_is_rotated_with_both_valid_in_between(api: Deployed) -> None:
    secrets, before = api.aws.client("secretsmanager"), api.key
    secrets.put_secret_value(SecretId=SECRET, SecretString="n" * 40)
    assert api.deploy(*FREELY, "-e", "volatility_api_keep_previous_key=true") == 1
    assert [api.ask("/info", key=key).status for key in (before, api.key)] == [200, 200]
    assert api.deploy(*FREELY) == 1
    assert [api.ask("/info", key=key).status for key in (before, api.key)] == [403, 200]
    assert api.deploy(*FREELY) == 0


def test_no_secret_is_in_a_log_or_printed(api: Deployed) -> None:
    keys = [one["value"] for one in api.aws.client("apigateway").get_api_keys(includeValues=True)["items"]]
    groups = [one["logGroupName"] for one in api.aws.client("logs").describe_log_groups()["logGroups"]]
    lines = [line for group in groups for line in api.log(group)]
    assert len(keys) >= 2 and any('"path": "/v1/predict"' in line for line in lines)
    said = "\n".join([*lines, *api.outputs])
    for secret in [*keys, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]:
        assert secret not in said

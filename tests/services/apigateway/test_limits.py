"""API keys, usage plans and stages: a key that calls too often gets 429, and another does not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from local_aws.testing import EmbeddedAws
from tests.services.apigateway.apis import Api, make

BODY = {"date": "2026-11-30"}


def statuses(api: Api, key: str, times: int) -> list[int]:
    return [api.call("POST", "/predict", BODY, key=key).status for _ in range(times)]


def patch(api: Api, path: str, value: str, op: str = "replace") -> None:
    operations = [{"op": op, "path": path, "value": value}]
    api.aws.client("apigateway").update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)


def test_a_throttled_key_gets_429_and_another_does_not(aws: EmbeddedAws) -> None:
    api = make(aws)
    api.plan("slow", throttle={"rateLimit": 0.001, "burstLimit": 2})
    api.plan("fast", throttle={"rateLimit": 100, "burstLimit": 100})
    assert statuses(api, "slow", 4) == [200, 200, 429, 429]
    answer = api.call("POST", "/predict", BODY, key="slow")
    assert (answer.json, answer.headers["x-amzn-ErrorType"]) == ({"message": "Too Many Requests"}, "TooManyRequestsException")  # fmt: skip
    assert statuses(api, "fast", 4) == [200] * 4
    aws.advance(1001)  # a token comes back
    assert statuses(api, "slow", 2) == [200, 429]


def test_a_quota_is_of_its_period(aws: EmbeddedAws) -> None:
    api = make(aws)
    api.plan("some", quota={"limit": 2, "period": "DAY"})
    tomorrow = datetime.combine(aws.now().date() + timedelta(days=1), datetime.min.time(), timezone.utc)
    assert statuses(api, "some", 3) == [200, 200, 429]
    assert api.call("POST", "/predict", BODY, key="some").json == {"message": "Limit Exceeded"}
    aws.advance(to=tomorrow)
    assert statuses(api, "some", 3) == [200, 200, 429]


def test_keys_that_are_none(aws: EmbeddedAws) -> None:
    api = make(aws)
    plan = api.plan("one")
    client = aws.client("apigateway")
    assert statuses(api, "one", 1) == [200]
    assert api.call("POST", "/predict", BODY, key="x" * 20).json == {"message": "Forbidden"}
    [key] = client.get_api_keys()["items"]
    disable: list[Any] = [{"op": "replace", "path": "/enabled", "value": "false"}]
    client.update_api_key(apiKey=key["id"], patchOperations=disable)
    assert statuses(api, "one", 1) == [403]
    client.update_api_key(apiKey=key["id"], patchOperations=[{**disable[0], "value": "true"}])
    assert statuses(api, "one", 1) == [200]
    remove = [{"op": "remove", "path": "/apiStages", "value": f"{api.id}:prod"}]
    client.update_usage_plan(usagePlanId=plan, patchOperations=remove)
    assert statuses(api, "one", 1) == [403]  # its plan has this stage no more


def test_stages_and_methods_have_rates_of_their_own(aws: EmbeddedAws) -> None:
    api = make(aws)
    patch(api, "/~1health/GET/throttling/rateLimit", "0.001")
    patch(api, "/~1health/GET/throttling/burstLimit", "1")
    assert [api.call("GET", "/health").status for _ in range(3)] == [200, 429, 429]
    assert [api.call("GET", "/files/a").status for _ in range(3)] == [200] * 3
    patch(api, "/*/*/throttling/rateLimit", "0.001")
    patch(api, "/*/*/throttling/burstLimit", "1")
    assert [api.call("GET", "/files/a").status for _ in range(2)] == [200, 429]


def test_a_method_in_a_plan(aws: EmbeddedAws) -> None:
    api = make(aws)
    plan = api.plan("one", throttle={"rateLimit": 100, "burstLimit": 100})
    path = f"/apiStages/{api.id}:prod/throttle/~1predict/POST"
    operations = [
        {"op": "replace", "path": f"{path}/rateLimit", "value": "0.001"},
        {"op": "replace", "path": f"{path}/burstLimit", "value": "1"},
    ]
    aws.client("apigateway").update_usage_plan(usagePlanId=plan, patchOperations=operations)
    assert statuses(api, "one", 2) == [200, 429]

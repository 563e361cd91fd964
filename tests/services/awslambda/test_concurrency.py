"""Environments: one an invocation at the same time, limited by what is reserved, and made anew after an update."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws, wait_for
from tests.services.awslambda.functions import archive, create, invoke

# Waits until as many are in it as are asked for: they meet in a folder, because their processes share nothing else.
MEETING = """
import os, time
def handler(event, context):
    os.makedirs(event["folder"], exist_ok=True)
    open(os.path.join(event["folder"], str(os.getpid())), "w").close()
    while len(os.listdir(event["folder"])) < event["of"]:
        time.sleep(0.01)
    return os.getpid()
"""


def test_each_invocation_under_way_has_an_environment_of_its_own(aws: EmbeddedAws, meeting: str) -> None:
    create(aws, MEETING, Timeout=30)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: invoke(aws, {"folder": meeting, "of": 3})["result"], range(3)))
    assert len(set(found)) == 3
    assert invoke(aws, {"folder": meeting, "of": 1})["result"] in found  # warm


def test_no_more_than_reserved(aws: EmbeddedAws, meeting: str) -> None:
    create(aws, MEETING, Timeout=30)
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoke, aws, {"folder": f"{meeting}/a", "of": 2})
        wait_for(Path(meeting, "a").exists, "the first invocation to be under way", timeout=20)
        with pytest.raises(ClientError) as raised:
            invoke(aws, {"folder": f"{meeting}/a", "of": 1})
        refused: dict[str, Any] = raised.value.response
        assert refused["Error"]["Code"] == "TooManyRequestsException"
        assert refused["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert refused["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
        second = invoke(aws, {"folder": f"{meeting}/a", "of": 2})["result"]
        assert first.result()["result"] != second
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke(aws, {"folder": meeting, "of": 1})
    client.delete_function_concurrency(FunctionName="f")
    invoke(aws, {"folder": meeting, "of": 1})


def test_an_update_and_ten_idle_minutes_end_environments(aws: EmbeddedAws) -> None:
    create(aws, "import os\ndef handler(event, context): return [os.getpid(), os.environ.get('GIVEN')]")
    first = invoke(aws)["result"]
    assert invoke(aws)["result"] == first
    client = aws.client("lambda")
    client.update_function_configuration(FunctionName="f", Environment={"Variables": {"GIVEN": "new"}})
    with pytest.raises(ClientError, match=r"ResourceConflictException.*An update is in progress for resource"):
        client.update_function_configuration(FunctionName="f", Timeout=5)
    client.get_waiter("function_updated_v2").wait(FunctionName="f")
    second = invoke(aws)["result"]
    assert second[0] != first[0] and second[1] == "new"
    code = archive("import os\ndef handler(event, context): return [os.getpid(), 'changed']")
    client.update_function_code(FunctionName="f", ZipFile=code)
    third = invoke(aws)["result"]
    assert third[0] != second[0] and third[1] == "changed"
    aws.advance(500)
    assert invoke(aws)["result"] == third
    aws.advance(700)
    assert invoke(aws)["result"][0] != third[0]


def test_keys_are_new_before_they_end(aws: EmbeddedAws) -> None:
    create(
        aws,
        """
        import boto3, os
        sts = boto3.client("sts")
        def handler(event, context):
            sts.get_caller_identity()
            return os.environ["AWS_ACCESS_KEY_ID"]
        """,
        Timeout=30,
        MemorySize=256,
    )
    first = invoke(aws)["result"]
    for _ in range(90):
        aws.advance(500)  # never idle for long: only its keys make it end
    assert invoke(aws)["result"] != first


@pytest.mark.services
def test_the_accounts_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meeting: str) -> None:
    monkeypatch.setenv("LOCAL_AWS_LAMBDA_CONCURRENCY", "101")
    own = EmbeddedAws(tmp_path / "home")
    try:
        create(own, MEETING, Timeout=30)
        client = own.client("lambda")
        with pytest.raises(ClientError, match="below its minimum value of"):
            client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
        client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
        assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 1
    finally:
        own.stop()


@pytest.mark.services
def test_environments_may_be_kept_for_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = 24 * 3600
    monkeypatch.setenv("LOCAL_AWS_LAMBDA_IDLE_SECONDS", str(5 * day))
    own = EmbeddedAws(tmp_path / "home")
    try:
        create(own, "import os\ndef handler(event, context): return os.environ['AWS_ACCESS_KEY_ID']")
        first = invoke(own)["result"]
        own.advance(4 * day)
        assert invoke(own)["result"] == first
        own.advance(5 * day + 60)
        assert invoke(own)["result"] != first
    finally:
        own.stop()

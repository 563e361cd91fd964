"""Invoke: a function really runs, with its role, its variables, its limits; what goes wrong is said as on AWS."""

from __future__ import annotations

import base64
import json
import re

import pytest

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import create, invoke, logged, role


def test_a_function_runs_and_its_environment_is_used_again(aws: EmbeddedAws) -> None:
    arn = create(
        aws,
        """
        import json, os
        print("loaded")
        count = 0

        def handler(event, context):
            global count
            count += 1
            print("called with", event["x"])
            return {
                "x": event["x"] * 2,
                "count": count,
                "arn": context.invoked_function_arn,
                "id": context.aws_request_id,
                "left": context.get_remaining_time_in_millis(),
                "memory": context.memory_limit_in_mb,
                "given": os.environ["GIVEN"],
                "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
                "version": context.function_version,
            }
        """,
        Timeout=20,
        MemorySize=256,
        Environment={"Variables": {"GIVEN": "yes"}},
    )
    first = invoke(aws, {"x": 4}, LogType="Tail")
    assert (first["StatusCode"], first["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in first
    said = first["result"]
    assert said["id"] == first["ResponseMetadata"]["RequestId"]
    assert 15_000 < said.pop("left") <= 20_000
    assert said == {
        "x": 8,
        "count": 1,
        "arn": arn,
        "id": said["id"],
        "memory": "256",
        "given": "yes",
        "name": "f",
        "version": "$LATEST",
    }
    tail = base64.b64decode(first["LogResult"]).decode().splitlines()
    assert tail[0] == f"START RequestId: {said['id']} Version: $LATEST"
    assert tail[1] == "called with 4"
    assert tail[2] == f"END RequestId: {said['id']}"
    report = r"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms"  # fmt: skip
    assert re.fullmatch(report, tail[3])
    assert invoke(aws, {"x": 5})["result"]["count"] == 2
    log = logged(aws)
    assert log[0].startswith("INIT_START Runtime Version: python3.11")
    assert log[1:4] == ["loaded\n", f"START RequestId: {said['id']} Version: $LATEST\n", "called with 4\n"]
    assert sum(line.startswith("INIT_START") for line in log) == 1
    assert "Init Duration" not in log[-1]


def test_what_a_function_raises_is_said_with_its_trace(aws: EmbeddedAws) -> None:
    create(
        aws,
        """
        def handler(event, context):
            raise ValueError("no such thing")
        """,
    )
    answer = invoke(aws, {}, LogType="Tail")
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    said = answer["result"]
    assert (said["errorType"], said["errorMessage"]) == ("ValueError", "no such thing")
    [frame] = said["stackTrace"]
    assert frame.endswith('/app.py", line 3, in handler\n    raise ValueError("no such thing")\n')
    [trace] = [line for line in logged(aws) if line.startswith("[ERROR] ValueError: no such thing\nTraceback")]
    assert "line 3, in handler" in trace  # one event, with all its lines


def test_a_module_that_cannot_be_imported_is_an_error_of_the_init_phase(aws: EmbeddedAws) -> None:
    create(aws, "import nothing_of_this_name")
    answer = invoke(aws, {})
    assert answer["FunctionError"] == "Unhandled"
    said = answer["result"]
    assert said["errorType"] == "Runtime.ImportModuleError"
    assert said["errorMessage"] == "Unable to import module 'app': No module named 'nothing_of_this_name'"
    assert any("Phase: init\tStatus: error\tError Type: Runtime.ImportModuleError" in line for line in logged(aws))


def test_a_function_that_takes_too_long_is_killed(aws: EmbeddedAws) -> None:
    create(
        aws,
        """
        import time
        def handler(event, context):
            print("begins")
            if event:
                time.sleep(60)
            return "in time"
        """,
        Timeout=1,
    )
    answer = invoke(aws, {"slow": True})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["result"]["errorType"] == "Sandbox.Timedout"
    assert answer["result"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    log = logged(aws)
    assert "begins\n" in log and any(line.rstrip().endswith("Task timed out after 1.00 seconds") for line in log)
    assert log[-1].endswith("Status: timeout\n")
    assert invoke(aws, None)["result"] == "in time"  # in a new environment
    assert sum(line.startswith("INIT_START") for line in logged(aws)) == 2


def test_a_function_that_ends_its_process(aws: EmbeddedAws) -> None:
    create(
        aws,
        """
        import os, sys
        def handler(event, context):
            os._exit(event["code"])
        """,
    )
    said = invoke(aws, {"code": 3})["result"]
    assert said["errorType"] == "Runtime.ExitError"
    assert said["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert invoke(aws, {"code": 0})["result"]["errorMessage"].endswith("Runtime exited without providing a reason")


def test_more_memory_than_the_function_has(aws: EmbeddedAws) -> None:
    create(
        aws,
        """
        def handler(event, context):
            return len(bytearray(event["size"]))
        """,
        Timeout=20,
    )
    assert invoke(aws, {"size": 10_000_000})["result"] == 10_000_000
    said = invoke(aws, {"size": 400_000_000})["result"]
    assert said["errorType"] == "Runtime.OutOfMemory"
    assert said["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error" in logged(aws)[-1]


def test_code_is_read_only_and_tmp_is_its_own(aws: EmbeddedAws) -> None:
    from local_aws.services.awslambda.files import sandbox_works

    if not sandbox_works():
        pytest.skip("processes may have no file system of their own here")
    create(
        aws,
        """
        import os
        def handler(event, context):
            with open("/tmp/kept", "a") as file:
                file.write("x")
            refused = ""
            try:
                open(os.environ["LAMBDA_TASK_ROOT"] + "/new", "w")
            except OSError as error:
                refused = error.strerror
            full = ""
            try:
                open("/tmp/large", "wb").write(bytes(600_000_000))
            except OSError as error:
                full = error.strerror
            os.unlink("/tmp/large")
            return [os.listdir("/tmp"), open("/tmp/kept").read(), refused, full]
        """,
        Timeout=20,
        MemorySize=1024,
    )
    assert invoke(aws)["result"] == [["kept"], "x", "Read-only file system", "No space left on device"]
    assert invoke(aws)["result"][1] == "xx"  # kept for the next invocation


def test_the_sdk_is_there_and_acts_as_the_role(aws: EmbeddedAws) -> None:
    own = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    create(
        aws,
        """
        import boto3
        def handler(event, context):
            who = boto3.client("sts").get_caller_identity()["Arn"]
            boto3.client("s3").list_buckets()
            try:
                boto3.client("sqs").list_queues()
            except Exception as error:
                return [who, error.response["Error"]["Code"]]
        """,
        role_arn=role(aws, own),
        Timeout=30,
        MemorySize=256,
    )
    who, refused = invoke(aws)["result"]
    assert who == "arn:aws:sts::123456789012:assumed-role/function/f"
    assert refused == "AccessDeniedException"


@pytest.mark.services
def test_what_is_loaded_for_longer_than_ten_seconds_counts(aws: EmbeddedAws) -> None:
    create(aws, "import time\ntime.sleep(10.5)\ndef handler(event, context): return 'late'", Timeout=5)
    assert invoke(aws)["result"] == "late"
    assert any(line.startswith("INIT_REPORT Init Duration: 10000.00 ms") for line in logged(aws))
    create(aws, "import time\ntime.sleep(60)", name="g", role_arn=role(aws, name="g"), Timeout=1)
    answer = invoke(aws, name="g")
    assert answer["result"]["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_logs_in_json(aws: EmbeddedAws) -> None:
    code = """
    import logging
    def handler(event, context):
        logging.getLogger().info("seen", extra={"a": 1})
        logging.getLogger().debug("not seen")
    """
    create(aws, code, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    request_id = invoke(aws)["ResponseMetadata"]["RequestId"]
    events = [json.loads(line) for line in logged(aws)]
    assert [event["type"] for event in events if "type" in event] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    assert events[-1]["record"]["metrics"]["memorySizeMB"] == 128
    [own] = [event for event in events if "message" in event]
    assert (own["level"], own["message"], own["requestId"]) == ("INFO", "seen", request_id)

"""Other people's clients: the AWS CLI, boto3's waiters and paginators, Powertools in a function, locust through an API."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from local_aws.home import REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws
from tests.services.apigateway.apis import make
from tests.services.awslambda.functions import archive, create, invoke, logged, role

ECHO = "def handler(event, context):\n    print('seen')\n    return event"


def packages(group: str) -> Path:
    program = REPOSITORY_ROOT / "tools/group_packages.py"
    done = subprocess.run([sys.executable, program, group], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


@pytest.mark.services
def test_the_aws_cli(aws: EmbeddedAws, tmp_path: Path) -> None:
    (tmp_path / "f.zip").write_bytes(archive(ECHO))

    def cli(*words: str) -> str:
        command = [str(REPOSITORY_ROOT / ".venv/bin/aws"), *words]
        environment = {**aws.env, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PAGER": ""}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = ["--runtime", "python3.13", "--handler", "app.handler", "--role", role(aws), "--zip-file", "fileb://f.zip"]
    cli("lambda", "create-function", "--function-name", "f", *made)
    cli("lambda", "wait", "function-active-v2", "--function-name", "f")
    cli("lambda", "publish-version", "--function-name", "f")
    cli("lambda", "create-alias", "--function-name", "f", "--name", "live", "--function-version", "1")
    sent = ["--payload", '{"a": 1}', "--log-type", "Tail"]
    query = ["--query", "LogResult", "--output", "text"]
    said = cli("lambda", "invoke", "--function-name", "f", "--qualifier", "live", *sent, *query, "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}
    assert len(said) > 100
    cli("lambda", "update-function-configuration", "--function-name", "f", "--timeout", "9")
    cli("lambda", "wait", "function-updated-v2", "--function-name", "f")
    aws.advance(1)
    assert "seen" in cli("logs", "filter-log-events", "--log-group-name", "/aws/lambda/f")
    assert (
        json.loads(cli("lambda", "list-versions-by-function", "--function-name", "f"))["Versions"][1]["Version"] == "1"
    )


def test_paginators(aws: EmbeddedAws) -> None:
    made = role(aws)
    for name in ("a", "b", "c"):
        create(aws, ECHO, name=name, role_arn=made)
    pages = aws.client("lambda").get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert sorted(f["FunctionName"] for page in pages for f in page["Functions"]) == ["a", "b", "c"]
    assert list(aws.client("apigateway").get_paginator("get_rest_apis").paginate()) != []


@pytest.mark.services
def test_powertools_in_a_function(aws: EmbeddedAws, tmp_path: Path) -> None:
    code = """
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit

    logger, metrics = Logger(service="forecast"), Metrics(namespace="Forecast", service="forecast")

    @logger.inject_lambda_context(log_event=True)
    @metrics.log_metrics(capture_cold_start_metric=True)
    def handler(event, context):
        logger.info("served", extra={"model": "har"})
        metrics.add_metric(name="Served", unit=MetricUnit.Count, value=3)
        return "done"
    """
    made = tmp_path / "f.zip"
    made.write_bytes(archive(code))
    found = packages("clients")
    with zipfile.ZipFile(made, "a") as opened:
        for name in ("aws_lambda_powertools", "jmespath", "typing_extensions.py"):
            for path in [found / name] if (found / name).is_file() else (found / name).rglob("*.py"):
                opened.write(path, path.relative_to(found))
    aws.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="app.handler",
        Role=role(aws),
        Code={"ZipFile": made.read_bytes()},
        Timeout=20,
        MemorySize=256,
        LoggingConfig={"LogFormat": "JSON"},
    )
    aws.advance(1)
    answer = invoke(aws, {"a": 1})
    assert answer["result"] == "done", answer["result"]
    records = [json.loads(line) for line in logged(aws) if line.startswith("{")]
    [served] = [record for record in records if record.get("message") == "served"]
    assert (served["service"], served["model"], served["cold_start"]) == ("forecast", "har", True)
    assert served["function_request_id"] == answer["ResponseMetadata"]["RequestId"]
    now = aws.now()
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Forecast",
        MetricName="Served",
        Dimensions=[{"Name": "service", "Value": "forecast"}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [point["Sum"] for point in points] == [3]


@pytest.mark.services
def test_locust_through_an_api(aws: EmbeddedAws, tmp_path: Path) -> None:
    api = make(aws, "def handler(event, context): return {'statusCode': 200, 'body': '{}'}")
    api.plan("one")
    (tmp_path / "user.py").write_text(
        f"""
from locust import HttpUser, task

class Person(HttpUser):
    @task
    def predict(self):
        self.client.post("/predict", json={{"date": "2026-11-30"}}, headers={{"x-api-key": "{api.keys["one"]}"}})
"""
    )
    host = f"{aws.endpoint}/_aws/execute-api/{api.id}/prod"
    words = ["--headless", "--users", "4", "--spawn-rate", "4", "--run-time", "3s", "--host", host, "--csv", "found"]
    command = [sys.executable, "-S", "-m", "locust", "-f", "user.py", *words]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(packages("clients")), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # locust ends with 1 when a request has failed
    total = (tmp_path / "found_stats.csv").read_text().splitlines()[-1].split(",")
    assert (int(total[2]) > 50, total[3]) == (True, "0")

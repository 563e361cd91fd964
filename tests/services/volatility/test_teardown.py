"""The teardown of a whole stack: nothing of it is left but its data, also when it was broken off in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_aws.testing import EmbeddedAws, wait_for
from tests.integration.test_provision import changes
from tests.services.volatility.daily_stack import ROOT
from tests.services.volatility.deployed import BUCKET, Deployed, push

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]

EVERYTHING = ("-e", "volatility_mirror=true", "-e", "volatility_macro=true")
MAIL = ("-e", json.dumps({"volatility_alarms_emails": ["ada@example.org"]}))
DATA = "raw.market/date=2026-01-02/0000-00000000.parquet"


@pytest.fixture
def stack(aws: EmbeddedAws, tmp_path: Path) -> Deployed:
    """Everything that the playbooks make, switches on; the images are empty, because nothing runs."""
    made = Deployed(aws, {})
    made.provision(*EVERYTHING, "-e", "volatility_identity_github_repository=acme/forecasts")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Containerfile").write_text(
        "FROM scratch AS api\nCOPY Containerfile /\nFROM scratch AS batch\nCOPY Containerfile /\n"
    )
    for target in ("api", "batch"):
        value = push(aws, context, target, tmp_path)
        aws.client("ssm").put_parameter(Name=f"/volatility/local/{target}_image", Value=value, Type="String")
    made.play("deploy_volatility", *EVERYTHING, *MAIL)
    aws.client("s3").put_object(Bucket=BUCKET, Key=DATA, Body=b"prices")
    return made


def tagged(aws: EmbeddedAws) -> set[str]:
    """What carries the stack's tag, by AWS's own account of it."""
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "Stack", "Values": ["volatility"]}]
    )  # fmt: skip
    return {one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]}


def named(aws: EmbeddedAws) -> list[str]:
    """What is named after the stack, whatever carries no tag: a line of each listing that names it."""
    listings: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "apigateway": [("get_rest_apis", {}), ("get_usage_plans", {}), ("get_api_keys", {}), ("get_account", {})],
        "budgets": [("describe_budgets", {"AccountId": "123456789012"})],
        "cloudwatch": [("describe_alarms", {}), ("list_dashboards", {})],
        "dynamodb": [("list_tables", {})],
        "ec2": [("describe_security_groups", {})],
        "ecr": [("describe_repositories", {})],
        "ecs": [("list_task_definitions", {"status": "ACTIVE"})],
        "events": [("list_rules", {})],
        "iam": [("list_roles", {}), ("list_open_id_connect_providers", {})],
        "lambda": [("list_functions", {})],
        "logs": [("describe_log_groups", {}), ("describe_resource_policies", {})],
        "scheduler": [("list_schedules", {}), ("list_schedule_groups", {})],
        "secretsmanager": [("list_secrets", {})],
        "sns": [("list_topics", {}), ("list_subscriptions", {})],
        "ssm": [("describe_parameters", {})],
        "stepfunctions": [("list_state_machines", {})],
    }
    # A cluster that was deleted is INACTIVE, and may be seen for a while.
    clusters = aws.client("ecs").describe_clusters(clusters=["volatility-local"])["clusters"]
    found = [f"cluster {one['clusterName']}" for one in clusters if one["status"] == "ACTIVE"]
    for service, operations in listings.items():
        for operation, given in operations:
            said = getattr(aws.client(service), operation)(**given)
            said.pop("ResponseMetadata")
            text = json.dumps(said, default=str).replace("/chronos-training/local/", "")
            if re.search(r"volatility|githubusercontent", text):
                found.append(f"{service}.{operation}: {text}")
    return found


def test_nothing_is_left_but_the_data(stack: Deployed) -> None:
    aws = stack.aws
    kept = {
        f"arn:aws:s3:::{BUCKET}",
        aws.client("kms").describe_key(KeyId="alias/volatility-local")["KeyMetadata"]["Arn"],
    }
    assert kept < tagged(aws) and len(named(aws)) >= 20
    would = re.findall(r"would change: (.*)", stack.play("teardown_volatility", "--check"))
    assert len(named(aws)) >= 20

    said = stack.play("teardown_volatility")
    assert re.findall(r"changed: (.*)", said) == would
    assert named(aws) == [] and tagged(aws) <= kept
    assert aws.client("s3").get_object(Bucket=BUCKET, Key=DATA)["Body"].read() == b"prices"
    assert changes(stack.play("teardown_volatility")) == 0

    stack.play("teardown_volatility", "-e", f"volatility_teardown_delete_bucket={BUCKET}")
    assert aws.client("s3").list_buckets()["Buckets"] == []


def killed(aws: EmbeddedAws, operation: str) -> None:
    """Begin a teardown, and end it with SIGKILL while it waits for the answer to an operation."""
    aws.forget_requests()
    aws.fault(operation, delay=30, lose_answer=True)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), "playbooks/teardown_volatility.yml"], cwd=ROOT,
        env=os.environ | aws.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: any(one["operation"].endswith(f".{operation}") for one in aws.requests()), operation, timeout=300)
    workers = psutil.Process(process.pid).children(recursive=True)  # each leads a session of its own
    process.kill()
    assert process.wait() == -signal.SIGKILL
    for one in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    aws.clear_faults()


def test_one_that_was_killed_is_finished_by_the_next(stack: Deployed) -> None:
    aws = stack.aws
    for operation in ("DeleteRestApi", "DeleteTopic", "DeleteSecret", "DeleteRole"):
        killed(aws, operation)
        assert named(aws)
    # One request is refused: the sentence says which, and the next teardown goes on from there.
    aws.fault(
        "DeleteRole", "ServiceFailure", "Internal failure.", status=500, times=None, RoleName="volatility-local-gate"
    )
    said = stack.play("teardown_volatility", status=2)
    assert "volatility-local-gate" in said and "ServiceFailure" in said
    aws.clear_faults()
    stack.play("teardown_volatility")
    assert named(aws) == []
    assert changes(stack.play("teardown_volatility")) == 0

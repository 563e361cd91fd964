"""The termination schedule's requests, word for word: the emulator forgives what AWS refuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.stub import Stubber

from chronos_training.core import termination_schedule
from chronos_training.core.errors import PermissionDenied, TrainingError

ROLE = "arn:aws:iam::123456789012:role/chronos-training-dev-scheduler"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:chronos-training-dev-guard-dlq"
FIRES_AT = datetime(2026, 11, 22, 12, 30, 5, tzinfo=timezone.utc)
REQUEST = {
    "Name": "chronos-training-dev-20261122-100000",
    "GroupName": "chronos-training-dev",
    "Description": "Terminates i-0123456789abcdef0 of run 20261122-100000 if it still exists at its deadline.",
    "ScheduleExpression": "at(2026-11-22T12:30:05)",
    "ScheduleExpressionTimezone": "UTC",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "ENABLED",
    "ActionAfterCompletion": "DELETE",
    "Target": {
        "Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances",
        "RoleArn": ROLE,
        "Input": '{"InstanceIds": ["i-0123456789abcdef0"]}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": 21600, "MaximumRetryAttempts": 185},
        "DeadLetterConfig": {"Arn": QUEUE},
    },
    "ClientToken": "20261122-100000-i-0123456789abcdef0",
}
ARN = {"ScheduleArn": "arn:aws:scheduler:us-east-1:123456789012:schedule/g/n"}


@pytest.fixture
def scheduler():
    client = boto3.client("scheduler", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def create(client, at=FIRES_AT) -> list[float]:
    slept: list[float] = []
    termination_schedule.create(
        client, "dev", "20261122-100000", "i-0123456789abcdef0", at,
        role_arn=ROLE, queue_arn=QUEUE, sleep=slept.append,
    )  # fmt: skip
    return slept


def test_the_request_is_what_aws_asks_for(scheduler):
    client, stub = scheduler
    stub.add_response("create_schedule", ARN, REQUEST)
    assert create(client) == []


def test_another_time_zone_is_written_as_utc(scheduler):
    client, stub = scheduler
    stub.add_response("create_schedule", ARN, REQUEST)
    create(client, FIRES_AT.astimezone(timezone(timedelta(hours=-5))))


def test_the_limits_of_the_api_are_kept():
    model = boto3.client("scheduler", region_name="us-east-1").meta.service_model.shape_for("CreateScheduleInput")
    name, token = model.members["Name"].metadata, model.members["ClientToken"].metadata
    for env in ("local", "dev", "stage", "prod"):
        assert len(termination_schedule.schedule_name(env, "20261122-100000")) <= name["max"]
    assert len(REQUEST["ClientToken"]) <= token["max"]
    retry = model.members["Target"].members["RetryPolicy"].members
    for key, value in termination_schedule.RETRY_POLICY.items():
        assert retry[key].metadata["min"] <= value <= retry[key].metadata["max"]
    with pytest.raises(ValueError, match="64"):
        termination_schedule.schedule_name("e" * 40, "20261122-100000")


def test_a_new_role_is_waited_for(scheduler):
    client, stub = scheduler
    words = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    stub.add_client_error("create_schedule", "ValidationException", words, expected_params=REQUEST)
    stub.add_client_error("create_schedule", "ValidationException", words, expected_params=REQUEST)
    stub.add_response("create_schedule", ARN, REQUEST)
    assert len(create(client)) == 2


def test_arming_twice_is_harmless_and_another_guard_is_not_taken_for_ours(scheduler):
    client, stub = scheduler
    there = {"ScheduleExpression": REQUEST["ScheduleExpression"], "Target": REQUEST["Target"]}
    stub.add_client_error("create_schedule", "ConflictException", "exists", http_status_code=409)
    stub.add_response("get_schedule", there, {"Name": REQUEST["Name"], "GroupName": REQUEST["GroupName"]})
    create(client)
    other = {**there, "Target": {**REQUEST["Target"], "Input": json.dumps({"InstanceIds": ["i-other"]})}}
    stub.add_client_error("create_schedule", "ConflictException", "exists", http_status_code=409)
    stub.add_response("get_schedule", other)
    with pytest.raises(TrainingError, match="create the termination schedule"):
        create(client)


def test_refusals_are_sentences(scheduler):
    client, stub = scheduler
    stub.add_client_error("create_schedule", "ResourceNotFoundException", "no group", http_status_code=404)
    with pytest.raises(TrainingError, match=r"group chronos-training-dev does not exist.*make provision ENV=dev"):
        create(client)
    stub.add_client_error(
        "create_schedule", "AccessDeniedException", "not authorized: iam:PassRole", http_status_code=403
    )
    with pytest.raises(PermissionDenied, match=r"create the termination schedule.*iam:PassRole"):
        create(client)


def test_disarm_of_an_absent_guard_is_fine(scheduler):
    client, stub = scheduler
    which = {"Name": REQUEST["Name"], "GroupName": REQUEST["GroupName"]}
    stub.add_response("delete_schedule", {}, which)
    assert termination_schedule.cancel(client, "dev", "20261122-100000") is True
    stub.add_client_error("delete_schedule", "ResourceNotFoundException", "", http_status_code=404)
    assert termination_schedule.cancel(client, "dev", "20261122-100000") is False
    stub.add_client_error("delete_schedule", "AccessDeniedException", "no", http_status_code=403)
    with pytest.raises(PermissionDenied, match="delete the termination schedule"):
        termination_schedule.cancel(client, "dev", "20261122-100000")


def test_guards_are_listed_with_what_they_end(scheduler):
    client, stub = scheduler
    summaries = [{"Name": REQUEST["Name"]}, {"Name": "chronos-training-dev-odd"}, {"Name": "just-fired"}]
    stub.add_response("list_schedules", {"Schedules": summaries}, {"GroupName": "chronos-training-dev"})
    common = {"State": "ENABLED", "Target": {"Arn": termination_schedule.TARGET, "RoleArn": ROLE}}
    stub.add_response("get_schedule", {**common, **{k: REQUEST[k] for k in ("Name", "ScheduleExpression", "Target")}})
    stub.add_response(
        "get_schedule", {**common, "Name": "chronos-training-dev-odd", "ScheduleExpression": "rate(1 day)"}
    )
    stub.add_client_error("get_schedule", "ResourceNotFoundException", "", http_status_code=404)
    odd, ours = termination_schedule.list_schedules(client, "dev")[::-1]
    assert (ours.run_id, ours.instance_ids, ours.fires_at) == ("20261122-100000", ("i-0123456789abcdef0",), FIRES_AT)
    assert (odd.run_id, odd.instance_ids, odd.fires_at) == ("odd", (), None)
    stub.add_client_error("list_schedules", "ResourceNotFoundException", "", http_status_code=404)
    assert termination_schedule.list_schedules(client, "dev") == []

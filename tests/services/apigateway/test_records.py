"""Access logs with context variables, written with the account's role, and metrics."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.apigateway.apis import make
from tests.services.awslambda.functions import LOGS, document

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/api"
FORMAT = json.dumps(
    {
        "id": "$context.requestId",
        "status": "$context.status",
        "path": "$context.path",
        "key": "$context.identity.apiKeyId",
        "error": "$context.error.responseType",
        "latency": "$context.integrationLatency",
    }
)


def test_access_logs_and_metrics(aws: EmbeddedAws) -> None:
    api = make(aws)
    client, logs = aws.client("apigateway"), aws.client("logs")
    operations = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": GROUP},
        {"op": "replace", "path": "/accessLogSettings/format", "value": FORMAT},
    ]
    with pytest.raises(ClientError, match="CloudWatch Logs role ARN must be set in account settings"):
        client.update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = aws.client("iam").create_role(RoleName="api-logs", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    aws.client("iam").put_role_policy(RoleName="api-logs", PolicyName="own", PolicyDocument=document(LOGS))
    account = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": made}]
    client.update_account(patchOperations=account)
    logs.create_log_group(logGroupName="/api")
    client.update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    first, second = api.call("GET", "/files/a"), api.call("GET", "/nothing")
    aws.advance(1)
    lines = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName="/api")["events"]]
    assert lines[0].pop("latency").isdigit()
    assert lines == [
        {"id": first.headers["x-amzn-RequestId"], "status": "200", "path": "/prod/files/a", "key": "-", "error": "-"},
        {
            "id": second.headers["x-amzn-RequestId"],
            "status": "403",
            "path": "/prod/nothing",
            "key": "-",
            "error": "MISSING_AUTHENTICATION_TOKEN",
            "latency": "-",
        },
    ]
    assert [total(aws, name) for name in ("Count", "4XXError", "5XXError")] == [2, 1, 0]


def total(aws: EmbeddedAws, name: str) -> float:
    now = aws.now()
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/ApiGateway",
        MetricName=name,
        Dimensions=[{"Name": "ApiName", "Value": "forecasts"}, {"Name": "Stage", "Value": "prod"}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3600,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])

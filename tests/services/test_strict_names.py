"""Every service is as strict with names and tags as AWS: what has characters that are not allowed there is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

ROLE = "arn:aws:iam::123456789012:role/any"
TAGS = [{"Key": "team&co", "Value": "x"}]
LOWER = [{"key": "team&co", "value": "x"}]
MACHINE = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
}
ALARM = {
    "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip

WRONG: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "bucket": ("s3", lambda c: c.create_bucket(Bucket="Team_Forecasts")),
    "tag of a bucket": ("s3", lambda c: c.put_bucket_tagging(Bucket="forecasts", Tagging={"TagSet": TAGS})),
    "tag of a key": ("kms", lambda c: c.create_key(Tags=[{"TagKey": "team&co", "TagValue": "x"}])),
    "alias": ("kms", lambda c: c.create_alias(AliasName="alias/a&b", TargetKeyId="x")),
    "secret": ("secretsmanager", lambda c: c.create_secret(Name="slack webhook!", SecretString="x")),
    "tag of a secret": ("secretsmanager", lambda c: c.create_secret(Name="s", SecretString="x", Tags=TAGS)),
    "table": ("dynamodb", lambda c: c.create_table(TableName="team forecasts", **TABLE)),
    "tag of a table": ("dynamodb", lambda c: c.create_table(TableName="forecasts", Tags=TAGS, **TABLE)),
    "topic": ("sns", lambda c: c.create_topic(Name="team&co")),
    "tag of a topic": ("sns", lambda c: c.create_topic(Name="alarms", Tags=TAGS)),
    "queue": ("sqs", lambda c: c.create_queue(QueueName="team forecasts")),
    "rule": ("events", lambda c: c.put_rule(Name="team forecasts", ScheduleExpression="rate(1 day)")),
    "tag of a rule": ("events", lambda c: c.put_rule(Name="daily", ScheduleExpression="rate(1 day)", Tags=TAGS)),
    "schedule group": ("scheduler", lambda c: c.create_schedule_group(Name="team forecasts")),
    "log group": ("logs", lambda c: c.create_log_group(logGroupName="team&co")),
    "tag of a log group": ("logs", lambda c: c.create_log_group(logGroupName="g", tags={"team&co": "x"})),
    "repository": ("ecr", lambda c: c.create_repository(repositoryName="Team_Forecasts")),
    "tag of a repository": ("ecr", lambda c: c.create_repository(repositoryName="forecasts", tags=TAGS)),
    "cluster": ("ecs", lambda c: c.create_cluster(clusterName="team forecasts")),
    "tag of a cluster": ("ecs", lambda c: c.create_cluster(clusterName="forecasts", tags=LOWER)),
    "machine": ("stepfunctions", lambda c: c.create_state_machine(name="a&b", roleArn=ROLE, definition=MACHINE)),
    "tag of a machine": (
        "stepfunctions", lambda c: c.create_state_machine(name="daily", roleArn=ROLE, definition=MACHINE, tags=LOWER)
    ),
    "tag of an API": ("apigateway", lambda c: c.create_rest_api(name="forecasts", tags={"team&co": "x"})),
    "tag of an alarm": ("cloudwatch", lambda c: c.put_metric_alarm(AlarmName="a", Tags=TAGS, **ALARM)),
    "dashboard": ("cloudwatch", lambda c: c.put_dashboard(DashboardName="a&b", DashboardBody='{"widgets": []}')),
    "function": (
        "lambda",
        lambda c: c.create_function(FunctionName="a&b", Role=ROLE, Code={"ImageUri": "x"}, PackageType="Image"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_name_or_tag_that_aws_refuses_is_refused(aws: EmbeddedAws, what: str) -> None:
    if what == "tag of a bucket":
        aws.client("s3").create_bucket(Bucket="forecasts")
    service, call = WRONG[what]
    with pytest.raises(ClientError) as caught:
        call(aws.client(service))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Code"]

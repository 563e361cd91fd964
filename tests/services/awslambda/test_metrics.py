"""Functions are measured, as a whole, by alias and by the version that ran."""

from __future__ import annotations

from datetime import timedelta

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import create, invoke


def test_invocations_errors_and_their_dimensions(aws: EmbeddedAws) -> None:
    create(aws, "def handler(event, context): return 1 / event")
    client = aws.client("lambda")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    invoke(aws, 1)
    for event in (1, 0):
        invoke(aws, event, Qualifier="live")
    aws.advance(1)

    def total(name: str, **dimensions: str) -> float:
        now = aws.now()
        found = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(minutes=10),
            EndTime=now + timedelta(minutes=10),
            Period=3600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    assert (total("Invocations", FunctionName="f"), total("Errors", FunctionName="f")) == (3, 1)
    alias = {"FunctionName": "f", "Resource": "f:live"}
    assert (total("Invocations", **alias), total("Errors", **alias, ExecutedVersion="1")) == (2, 1)
    assert total("Duration", FunctionName="f") > 0

"""CloudWatch in each of its three protocols.

Boto3 speaks JSON, older clients query, the SDKs of other languages CBOR.
"""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws


def client(aws: EmbeddedAws, protocol: str, folder: Path, keys: dict[str, str] | None = None) -> Any:
    """A client that speaks this protocol: by a model that knows no other."""
    model = Path(botocore.__file__).parent / "data/cloudwatch/2010-08-01/service-2.json.gz"
    described = json.loads(gzip.decompress(model.read_bytes()))
    described["metadata"] |= {"protocol": protocol, "protocols": [protocol]}
    place = folder / "cloudwatch/2010-08-01"
    place.mkdir(parents=True, exist_ok=True)
    (place / "service-2.json").write_text(json.dumps(described))
    session = botocore.session.Session()
    session.get_component("data_loader").search_paths.insert(0, str(folder))
    mine = keys or {"AccessKeyId": aws.env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": aws.env["AWS_SECRET_ACCESS_KEY"]}
    return session.create_client(
        "cloudwatch",
        "us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=mine["AccessKeyId"],
        aws_secret_access_key=mine["SecretAccessKey"],
    )


@pytest.mark.parametrize("protocol", ["query", "smithy-rpc-v2-cbor", "json"])
def test_the_same_in_each_protocol(aws: EmbeddedAws, tmp_path: Path, protocol: str) -> None:
    cloudwatch, now = client(aws, protocol, tmp_path), aws.now()
    pairs = [{"Name": "a", "Value": "b & c"}]
    datum = {"MetricName": "m", "Values": [2.5, 4.0], "Counts": [1.0, 2.0], "Dimensions": pairs, "Timestamp": now}
    cloudwatch.put_metric_data(Namespace="N", MetricData=[datum])
    [point] = cloudwatch.get_metric_statistics(
        Namespace="N",
        MetricName="m",
        Dimensions=pairs,
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"]) == (10.5, 3.0)
    assert abs((point["Timestamp"] - now).total_seconds()) <= 600
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    alarm = {
        "AlarmName": "x",
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [topic],
        "ActionsEnabled": False,
    }
    cloudwatch.put_metric_alarm(**alarm)
    [found] = cloudwatch.describe_alarms(AlarmNames=["x"])["MetricAlarms"]
    assert {name: found[name] for name in alarm} == alarm
    with pytest.raises(ClientError, match="Value 'Bad' at 'statistic' failed to satisfy constraint"):
        cloudwatch.put_metric_alarm(**{**alarm, "Statistic": "Bad"})
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["cloudwatch:PutMetricData", "cloudwatch:DeleteAlarms"],
                "Resource": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:x", "*"][:1],
            },
            {
                "Effect": "Allow",
                "Action": "cloudwatch:PutMetricData",
                "Resource": "*",
                "Condition": {"StringEquals": {"cloudwatch:namespace": "N"}},
            },
        ],
    }
    mine = client(aws, protocol, tmp_path, aws.new_user("u", cw=allow))
    mine.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}])
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:PutMetricData"):
        mine.put_metric_data(Namespace="M", MetricData=[{"MetricName": "m", "Value": 1.0}])
    mine.delete_alarms(AlarmNames=["x"])
    with pytest.raises(ClientError, match="not authorized to perform: cloudwatch:DeleteAlarms"):
        mine.delete_alarms(AlarmNames=["y"])

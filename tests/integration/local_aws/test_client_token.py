"""RunInstances is idempotent by its ClientToken."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws

LAUNCH = {"ImageId": "ami-0a7d80731ae1b2435", "MinCount": 1, "MaxCount": 1, "InstanceType": "c5.large"}


def test_the_same_token_gives_the_same_instance_and_other_parameters_are_refused(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    first = ec2.run_instances(**LAUNCH, ClientToken="token-1")
    again = ec2.run_instances(**LAUNCH, ClientToken="token-1")
    assert again["ReservationId"] == first["ReservationId"]
    assert again["Instances"][0]["InstanceId"] == first["Instances"][0]["InstanceId"]
    with pytest.raises(ClientError) as refused:
        ec2.run_instances(**LAUNCH | {"InstanceType": "c5.xlarge"}, ClientToken="token-1")
    assert refused.value.response["Error"]["Code"] == "IdempotentParameterMismatch"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    other = ec2.run_instances(**LAUNCH, ClientToken="token-2")
    assert other["Instances"][0]["InstanceId"] != first["Instances"][0]["InstanceId"]
    assert len(ec2.describe_instances()["Reservations"]) == 2


def test_a_token_outlives_its_instance_and_is_regional(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    first = aws.launch(ClientToken="token")
    ec2.terminate_instances(InstanceIds=[first])
    aws.wait_for_state(first, "terminated")
    assert aws.launch(ClientToken="token") == first
    elsewhere = aws.client("ec2", region="eu-west-1")
    assert elsewhere.run_instances(**LAUNCH, ClientToken="token")["Instances"][0]["InstanceId"] != first


def test_a_failed_call_and_a_dry_run_do_not_use_up_the_token(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    for wrong in ({"SubnetId": "subnet-00000000"}, {"DryRun": True}):
        with pytest.raises(ClientError):
            ec2.run_instances(**LAUNCH, **wrong, ClientToken="token")
    assert aws.launch(ClientToken="token")

"""Injected faults: the error in the service's own format, the lost answer, the delay, and only for the calls meant."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from local_aws.testing import EmbeddedAws


def refusal(call, **parameters) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def test_each_protocol_gives_the_error_as_its_client_reads_it(aws: EmbeddedAws) -> None:
    cases = [
        ("ec2", "DescribeInstances", "describe_instances", {}),
        ("sts", "GetCallerIdentity", "get_caller_identity", {}),
        ("iam", "ListRoles", "list_roles", {}),
        ("ssm", "GetParameter", "get_parameter", {"Name": "/a/b"}),
        ("sqs", "ListQueues", "list_queues", {}),
        ("s3", "ListObjectsV2", "list_objects_v2", {"Bucket": "some-bucket"}),
        ("scheduler", "GetSchedule", "get_schedule", {"Name": "a", "GroupName": "b"}),
    ]
    for service, action, method, parameters in cases:
        aws.fault(action, "SlowDown", "Please <wait>.", status=503)
        call = getattr(aws.client(service), method)
        assert refusal(call, **parameters) == ("SlowDown", "Please <wait>.", 503), service
        assert aws.faults() == []


def test_s3_operations_are_told_apart(aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket")
    aws.fault("PutObject", "AccessDenied", status=403, times=None, Key="runs/*")
    aws.fault("DeleteObject", "InternalError", status=500, Bucket="bucket", Key="other")
    s3.put_object(Bucket="bucket", Key="other", Body=b"1")
    assert refusal(s3.put_object, Bucket="bucket", Key="runs/1", Body=b"")[0] == "AccessDenied"
    assert refusal(s3.put_object, Bucket="bucket", Key="runs/1", Body=b"")[0] == "AccessDenied"
    s3.copy_object(Bucket="bucket", Key="runs/2", CopySource="bucket/other")
    upload = s3.create_multipart_upload(Bucket="bucket", Key="runs/3")["UploadId"]
    s3.upload_part(Bucket="bucket", Key="runs/3", PartNumber=1, UploadId=upload, Body=b"x")
    s3.abort_multipart_upload(Bucket="bucket", Key="runs/3", UploadId=upload)
    assert refusal(s3.delete_object, Bucket="bucket", Key="other")[0] == "InternalError"
    s3.delete_object(Bucket="bucket", Key="other")
    aws.clear_faults()
    s3.put_object(Bucket="bucket", Key="runs/1", Body=b"")


def test_a_lost_answer_is_a_thing_done(aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket")
    aws.fault("PutObject", lose_answer=True)
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket="bucket", Key="key", Body=b"stored")
    assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"stored"


def test_run_instances_by_zone_and_type(aws: EmbeddedAws) -> None:
    ec2 = aws.client("ec2")
    subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]}
    aws.fault("RunInstances", "InsufficientInstanceCapacity", status=500, times=None, Zone="us-east-1a")
    aws.fault("RunInstances", "VcpuLimitExceeded", times=None, InstanceType="g4dn.2xlarge")
    launch = {"ImageId": "ami-0a7d80731ae1b2435", "MinCount": 1, "MaxCount": 1}
    nic = [{"DeviceIndex": 0, "SubnetId": subnets["us-east-1a"]}]
    full = refusal(ec2.run_instances, InstanceType="c5.large", NetworkInterfaces=nic, **launch)
    assert full[0] == "InsufficientInstanceCapacity" and full[2] == 500
    over = refusal(ec2.run_instances, InstanceType="g4dn.2xlarge", SubnetId=subnets["us-east-1b"], **launch)
    assert over[0] == "VcpuLimitExceeded"
    assert aws.launch(SubnetId=subnets["us-east-1b"])
    assert len(ec2.describe_instances()["Reservations"]) == 1


def test_a_delay_and_an_empty_account(aws: EmbeddedAws) -> None:
    aws.fault("GetCallerIdentity", delay=0.5)
    began = time.monotonic()
    aws.client("sts").get_caller_identity()
    assert time.monotonic() - began >= 0.5
    aws.fault("GetCallerIdentity", "Throttling")
    aws.reset()
    aws.client("sts").get_caller_identity()

"""The count of requests: by caller, operation and the beginning of the key; and the command that prints it."""

from __future__ import annotations

import json

from local_aws.testing import EmbeddedAws


def test_requests_are_counted_by_caller_operation_and_place(aws: EmbeddedAws, run_cli) -> None:
    s3, iam = aws.client("s3"), aws.client("iam")
    empty = json.dumps({"Version": "2012-10-17", "Statement": []})
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=empty)["Role"]["Arn"]
    reads = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)
    keys = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="i-0123")["Credentials"]
    instance = aws.client("s3", credentials={**keys, "Token": keys["SessionToken"]})
    s3.create_bucket(Bucket="some-bucket")
    aws.forget_requests()
    s3.put_object(Bucket="some-bucket", Key="local/system-state.json", Body=b"1")
    s3.put_object(Bucket="some-bucket", Key="local/logs/20260101-000000/a.log", Body=b"1")
    instance.get_object(Bucket="some-bucket", Key="local/system-state.json")
    instance.list_objects_v2(Bucket="some-bucket")
    for _ in range(2):
        aws.client("ec2").describe_instances()
    aws.client("ssm").get_parameters(Names=["/a"])
    found = {(r["caller"], r["operation"], r["where"]): r["count"] for r in aws.requests()}
    assert found == {
        ("person", "s3.PutObject", "local/system-state.json"): 1,
        ("person", "s3.PutObject", "local/logs/"): 1,
        ("instance", "s3.GetObject", "local/system-state.json"): 1,
        ("instance", "s3.ListObjectsV2", ""): 1,
        ("person", "ec2.DescribeInstances", ""): 2,
        ("person", "ssm.GetParameters", ""): 1,
    }
    printed = run_cli("requests", "--forget", home=aws.home).stdout
    assert "instance  s3.GetObject" in printed
    assert "person    in all" in printed
    assert aws.requests() == []

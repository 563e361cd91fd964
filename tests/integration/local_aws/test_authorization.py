"""Every request is authorized: who may what, what a refusal looks like, and that nothing unknown is let through."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chronos_training.core.errors import TrainingError
from chronos_training.core.objects import delete_objects
from local_aws.testing import EmbeddedAws

ACCOUNT = "arn:aws:iam::123456789012"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def trusting(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code(call: Any, *arguments: Any, **named: Any) -> str:
    """Return the error code of a call, an empty text when it succeeds."""
    try:
        call(*arguments, **named)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "unknown", "denied"),
    [
        ("s3", "list_buckets", {}, "InvalidAccessKeyId", "AccessDenied"),
        ("s3", "head_bucket", {"Bucket": "box"}, "403", "403"),
        ("ec2", "describe_instances", {}, "AuthFailure", "UnauthorizedOperation"),
        ("iam", "list_users", {}, "InvalidClientTokenId", "AccessDenied"),
        ("sts", "get_caller_identity", {}, "InvalidClientTokenId", ""),
        ("ssm", "get_parameter", {"Name": "/a"}, "UnrecognizedClientException", "AccessDeniedException"),
        ("scheduler", "list_schedules", {}, "UnrecognizedClientException", "AccessDeniedException"),
        ("sqs", "list_queues", {}, "UnrecognizedClientException", "AccessDeniedException"),
    ],
)
def test_unknown_keys_and_missing_rights_are_told_in_the_services_own_words(
    aws: EmbeddedAws, service: str, operation: str, arguments: dict[str, Any], unknown: str, denied: str
) -> None:
    nobody = aws.client(service, credentials={"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x"})
    assert code(getattr(nobody, operation), **arguments) == unknown
    powerless = aws.client(service, credentials=aws.new_user("powerless"))
    assert code(getattr(powerless, operation), **arguments) == denied


def test_a_refusal_names_caller_action_and_resource(aws: EmbeddedAws) -> None:
    aws.client("s3").create_bucket(Bucket="box")
    s3 = aws.client("s3", credentials=aws.new_user("ada"))
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="box", Key="dir/a b.txt", Body=b"")
    assert refused.value.response["Error"]["Message"] == (
        f'User: {ACCOUNT}:user/ada is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::box/dir/a b.txt" '
        "because no identity-based policy allows the s3:PutObject action"
    )


def test_users_have_inline_attached_and_group_policies(aws: EmbeddedAws) -> None:
    iam, keys = aws.client("iam"), aws.new_user("ada")
    inline = json.dumps(allow("ec2:DescribeInstances"))
    iam.put_user_policy(UserName="ada", PolicyName="inline", PolicyDocument=inline)
    ec2, s3, ssm = (aws.client(name, credentials=keys) for name in ("ec2", "s3", "ssm"))
    assert (code(ec2.describe_instances), code(s3.list_buckets)) == ("", "AccessDenied")
    managed = iam.create_policy(PolicyName="m", PolicyDocument=json.dumps(allow("s3:ListAllMyBuckets")))["Policy"][
        "Arn"
    ]
    iam.attach_user_policy(UserName="ada", PolicyArn=managed)
    assert code(s3.list_buckets) == ""
    version = {"PolicyDocument": json.dumps(allow("s3:CreateBucket")), "SetAsDefault": True}
    iam.create_policy_version(PolicyArn=managed, **version)
    assert code(s3.list_buckets) == "AccessDenied"
    assert code(ssm.describe_parameters) == "AccessDeniedException"
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=json.dumps(allow("ssm:DescribeParameters")))
    iam.add_user_to_group(GroupName="g", UserName="ada")
    assert code(ssm.describe_parameters) == ""


def test_a_role_is_assumed_as_its_trust_policy_says(aws: EmbeddedAws) -> None:
    iam = aws.client("iam")
    keys = {name: aws.new_user(name) for name in ("ada", "eve")}
    keys["bob"] = aws.new_user("bob", may=allow("sts:AssumeRole", f"{ACCOUNT}:role/delegated"))
    roles = {"named": {"AWS": f"{ACCOUNT}:user/ada"}, "delegated": {"AWS": f"{ACCOUNT}:root"}}
    for role, principal in roles.items():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trusting(principal))

    def assume(who: str, role: str) -> str:
        sts = aws.client("sts", credentials=keys[who])
        return code(sts.assume_role, RoleArn=f"{ACCOUNT}:role/{role}", RoleSessionName="session")

    refused = "AccessDenied"
    assert [assume(who, "named") for who in ("ada", "bob", "eve")] == ["", refused, refused]
    assert [assume(who, "delegated") for who in ("ada", "bob", "eve")] == [refused, "", refused]
    assert assume("ada", "absent") == refused


def test_a_sessions_keys_need_their_token_and_have_the_roles_rights(aws: EmbeddedAws) -> None:
    iam, user = aws.client("iam"), aws.new_user("ada")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting({"AWS": f"{ACCOUNT}:user/ada"}))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow(["s3:*", "ec2:*"])))
    arguments = {"RoleArn": f"{ACCOUNT}:role/r", "RoleSessionName": "session"}
    sts = aws.client("sts", credentials=user)
    session = sts.assume_role(**arguments)["Credentials"]
    s3 = aws.client("s3", credentials={**session, "Token": session["SessionToken"]})
    assert code(s3.list_buckets) == ""
    without = aws.client("ec2", region="us-west-2", credentials=session)
    assert code(without.describe_instances) == "AuthFailure"
    narrow = sts.assume_role(**arguments, Policy=json.dumps(allow("ec2:DescribeInstances")))["Credentials"]
    narrow = {**narrow, "Token": narrow["SessionToken"]}
    assert code(aws.client("s3", credentials=narrow).list_buckets) == "AccessDenied"
    assert code(aws.client("ec2", credentials=narrow).describe_instances) == ""


def test_variables_and_tags_of_the_caller(aws: EmbeddedAws) -> None:
    aws.client("s3").create_bucket(Bucket="box")
    iam = aws.client("iam")
    own = allow("s3:PutObject", ["arn:aws:s3:::box/${aws:username}/*", "arn:aws:s3:::box/${aws:PrincipalTag/Team}/*"])
    ada = aws.new_user("ada", may=own)
    role = {"RoleName": "r", "AssumeRolePolicyDocument": trusting({"AWS": f"{ACCOUNT}:user/ada"})}
    iam.create_role(**role, Tags=[{"Key": "Team", "Value": "blue"}])
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(own))
    sts = aws.client("sts", credentials=ada)
    session = sts.assume_role(RoleArn=f"{ACCOUNT}:role/r", RoleSessionName="session")["Credentials"]
    for keys, expected in (
        (ada, ["", "AccessDenied"]),
        ({**session, "Token": session["SessionToken"]}, ["AccessDenied", ""]),
    ):
        s3 = aws.client("s3", credentials=keys)
        assert [code(s3.put_object, Bucket="box", Key=key, Body=b"") for key in ("ada/1", "blue/1")] == expected


def test_a_bucket_policy_grants_and_denies(aws: EmbeddedAws) -> None:
    root, keys = aws.client("s3"), {name: aws.new_user(name) for name in ("ada", "eve")}
    root.create_bucket(Bucket="box")
    root.put_object(Bucket="box", Key="a", Body=b"1")
    grant = {"Sid": "G", "Effect": "Allow", "Principal": {"AWS": f"{ACCOUNT}:user/ada"}, "Action": "s3:GetObject"}
    grant["Resource"] = "arn:aws:s3:::box/*"
    deny = {**grant, "Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}
    root.put_bucket_policy(Bucket="box", Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant, deny]}))
    results = [
        code(aws.client("s3", credentials=keys[who]).get_object, Bucket="box", Key="a") for who in ("ada", "eve")
    ]
    assert results == ["", "AccessDenied"]
    assert code(root.delete_object, Bucket="box", Key="a") == "AccessDenied"  # over the account's root as well
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{aws.endpoint}/box/a", timeout=60)
    named = {
        (row["principal"], row["allowed"]): row["by"] for row in aws.decisions() if row["action"] == "s3:GetObject"
    }
    assert named[(f"{ACCOUNT}:user/ada", True)] == ["policy of box/G"]


def test_an_absent_key_is_a_404_only_to_whom_may_list_without_a_condition(aws: EmbeddedAws) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="box")
    read, listing = allow("s3:GetObject"), allow("s3:ListBucket", "arn:aws:s3:::box")
    by_prefix = allow("s3:ListBucket", "arn:aws:s3:::box", Condition={"StringLike": {"s3:prefix": "a/*"}})
    for name, policies, expected in (
        ("reader", {"read": read}, ("AccessDenied", "403")),
        ("lister", {"read": read, "list": listing}, ("NoSuchKey", "404")),
        ("prefixed", {"read": read, "list": by_prefix}, ("AccessDenied", "403")),
    ):
        s3 = aws.client("s3", credentials=aws.new_user(name, **policies))
        found = tuple(code(call, Bucket="box", Key="a/absent") for call in (s3.get_object, s3.head_object))
        assert found == expected, name
    assert code(s3.list_objects_v2, Bucket="box", Prefix="a/") == ""
    assert [code(s3.list_objects_v2, Bucket="box", **p) for p in ({}, {"Prefix": "b/"})] == ["AccessDenied"] * 2


def test_each_step_of_an_upload_has_its_action(aws: EmbeddedAws) -> None:
    aws.client("s3").create_bucket(Bucket="box")
    s3 = aws.client("s3", credentials=aws.new_user("ada", may=allow("s3:PutObject", "arn:aws:s3:::box/*")))
    where = {"Bucket": "box", "Key": "k"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    tag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    assert code(s3.list_parts, **where, UploadId=upload) == "AccessDenied"
    assert code(s3.abort_multipart_upload, **where, UploadId=upload) == "AccessDenied"
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    assert code(s3.complete_multipart_upload, **where, UploadId=upload, MultipartUpload=parts) == ""
    assert code(s3.copy_object, Bucket="box", Key="copy", CopySource="box/k") == "AccessDenied"  # reads the source


def test_a_deletion_of_many_is_judged_key_by_key(aws: EmbeddedAws) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="box")
    for key in ("mine/a&b", "mine/c", "theirs"):
        root.put_object(Bucket="box", Key=key, Body=b"x")
    s3 = aws.client("s3", credentials=aws.new_user("ada", may=allow("s3:DeleteObject", "arn:aws:s3:::box/mine/*")))
    wanted = [{"Key": "mine/a&b"}, {"Key": "theirs"}, {"Key": "mine/c"}]
    answer = s3.delete_objects(Bucket="box", Delete={"Objects": wanted})
    assert [one["Key"] for one in answer["Deleted"]] == ["mine/a&b", "mine/c"]
    [refused] = answer["Errors"]
    assert (refused["Key"], refused["Code"]) == ("theirs", "AccessDenied") and "s3:DeleteObject" in refused["Message"]
    assert [one["Key"] for one in root.list_objects_v2(Bucket="box")["Contents"]] == ["theirs"]
    [refused] = s3.delete_objects(Bucket="box", Delete={"Objects": wanted[1:2], "Quiet": True})["Errors"]
    assert refused["Key"] == "theirs"
    # Our own code says so; S3's status is 200.
    with pytest.raises(
        TrainingError, match=r"Could not delete 1 objects of the bucket box; the first: theirs: User: .*ada"
    ):
        delete_objects(s3, "box", wanted)


def test_a_condition_on_an_etag_reads_the_object(aws: EmbeddedAws) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="box")
    etag = root.put_object(Bucket="box", Key="k", Body=b"x")["ETag"]
    may = allow(["s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::box/*")
    s3 = aws.client("s3", credentials=aws.new_user("ada", may=may))
    where = {"Bucket": "box", "Key": "k"}
    assert code(s3.put_object, **where, Body=b"y", IfMatch=etag) == "AccessDenied"
    assert code(s3.delete_object, **where, IfMatch=etag) == "AccessDenied"
    assert code(s3.put_object, **where, Body=b"y", IfNoneMatch="*") == "PreconditionFailed"
    assert code(s3.put_object, **where, Body=b"y") == code(s3.delete_object, **where) == ""


def test_a_policy_with_something_unknown_denies_and_the_log_says_so(aws: EmbeddedAws) -> None:
    moon = allow("ec2:Describe*", Condition={"StringEquals": {"aws:Moon": "full"}})
    ec2 = aws.client("ec2", credentials=aws.new_user("ada", may=moon))
    assert code(ec2.describe_instances) == "UnauthorizedOperation"
    assert "the condition key aws:Moon is not known" in (aws.home / "server.log").read_text()
    everything = aws.client("ec2", credentials=aws.new_user("eve", may=allow("*")))
    assert code(everything.create_vpn_gateway, Type="ipsec.1") == "UnauthorizedOperation"
    assert "the operation ec2:CreateVpnGateway is not known" in (aws.home / "server.log").read_text()

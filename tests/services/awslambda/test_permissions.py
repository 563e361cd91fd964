"""Who may invoke, and what a function may do: the policies of people, of functions and of roles decide."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from local_aws.testing import EmbeddedAws
from tests.services.awslambda.functions import archive, create, invoke, logged, role

ECHO = "def handler(event, context): return event"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def policy(*statements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_each_statement_is_needed(aws: EmbeddedAws) -> None:
    create(aws, ECHO)
    client = aws.client("lambda")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"{ARN}:live"}
    keys = aws.new_user("caller", invoke=policy(allow))
    theirs = aws.client("lambda", credentials=keys)
    assert invoke(aws, 1, client=theirs, Qualifier="live")["result"] == 1
    with pytest.raises(ClientError, match=rf"AccessDeniedException.*lambda:InvokeFunction on resource: \S+{ARN}\W"):
        invoke(aws, 1, client=theirs)  # the function itself is another resource
    with pytest.raises(ClientError, match="AccessDeniedException"):
        theirs.get_function(FunctionName="f")
    aws.change_policy("arn:aws:iam::123456789012:policy/caller-invoke", policy({**allow, "Effect": "Deny"}))
    with pytest.raises(ClientError, match="AccessDeniedException"):
        invoke(aws, 1, client=theirs, Qualifier="live")


def test_a_functions_policy_lets_a_user_in(aws: EmbeddedAws) -> None:
    create(aws, ECHO)
    keys = aws.new_user("caller")
    theirs = aws.client("lambda", credentials=keys)
    with pytest.raises(ClientError, match="AccessDeniedException"):
        invoke(aws, 1, client=theirs)
    client = aws.client("lambda")
    given = {"FunctionName": "f", "StatementId": "user", "Action": "lambda:InvokeFunction"}
    user = "arn:aws:iam::123456789012:user/caller"
    client.add_permission(**given, Principal=user)
    assert invoke(aws, 1, client=theirs)["result"] == 1
    [statement] = json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"AWS": user}, ARN)
    with pytest.raises(ClientError, match="ResourceConflictException"):
        client.add_permission(**given, Principal="*")
    client.remove_permission(FunctionName="f", StatementId="user")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        invoke(aws, 1, client=theirs)


def test_the_policy_of_an_alias_stays_when_it_moves(aws: EmbeddedAws) -> None:
    create(aws, ECHO)
    client = aws.client("lambda")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    source = {"SourceArn": "arn:aws:events:us-east-1:123456789012:rule/daily", "SourceAccount": "123456789012"}
    client.add_permission(
        FunctionName="f",
        Qualifier="live",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        **source,
    )
    client.update_function_code(FunctionName="f", ZipFile=archive(ECHO + "  # new"), Publish=True)
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    [statement] = json.loads(client.get_policy(FunctionName="f", Qualifier="live")["Policy"])["Statement"]
    assert statement == {
        "Sid": "rule",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"{ARN}:live",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": source["SourceAccount"]},
            "ArnLike": {"AWS:SourceArn": source["SourceArn"]},
        },
    }
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_policy(FunctionName="f")


def test_passing_a_role_and_reading_code_need_permissions(aws: EmbeddedAws) -> None:
    made = role(aws)
    aws.client("s3").create_bucket(Bucket="code")
    aws.client("s3").put_object(Bucket="code", Key="f.zip", Body=archive(ECHO))
    statements = {
        "create": {"Effect": "Allow", "Action": "lambda:CreateFunction", "Resource": ARN},
        "tag": {"Effect": "Allow", "Action": "lambda:TagResource", "Resource": ARN},
        "pass": {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": made,
            "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        },
        "read": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::code/*"},
    }

    def attempt(user: str, without: str = "") -> None:
        keys = aws.new_user(user, own=policy(*(s for name, s in statements.items() if name != without)))
        aws.client("lambda", credentials=keys).create_function(
            FunctionName="f",
            Runtime="python3.12",
            Handler="app.handler",
            Role=made,
            Code={"S3Bucket": "code", "S3Key": "f.zip"},
            Tags={"Stack": "one"},
        )

    for name in statements:
        with pytest.raises(ClientError, match="AccessDeniedException"):
            attempt(f"without-{name}", name)
    attempt("all")
    aws.advance(1)
    assert invoke(aws, {"a": 1})["result"] == {"a": 1}


def test_no_permission_for_logs_no_logs(aws: EmbeddedAws) -> None:
    create(aws, ECHO, role_arn=role(aws, logs=False))
    assert invoke(aws, 5)["result"] == 5
    aws.advance(1)
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    aws.client("iam").put_role_policy(
        RoleName="function",
        PolicyName="logs",
        PolicyDocument=json.dumps(policy({"Effect": "Allow", "Action": "logs:*", "Resource": "*"})),
    )
    invoke(aws, 5)
    assert logged(aws)


def test_a_role_that_does_not_trust_lambda(aws: EmbeddedAws) -> None:
    made = role(aws)
    create(aws, ECHO, role_arn=made)
    aws.client("iam").update_assume_role_policy(
        RoleName="function",
        PolicyDocument=json.dumps(
            policy({"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"})
        ),
    )
    with pytest.raises(ClientError, match=r"AccessDeniedException.*cannot be assumed by Lambda"):
        invoke(aws)
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*cannot be assumed by Lambda"):
        create(aws, ECHO, name="g", role_arn=made)

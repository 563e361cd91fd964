"""Secrets: who may read them, and when they are gone."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_aws.testing import EmbeddedAws

DAY = 86400.0


def allow(*actions: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def refused(call: Any, code: str, **parameters: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code


def test_a_policy_on_a_name_covers_the_random_end(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    for name in ("slack/webhook", "other"):
        secrets.create_secret(Name=name, SecretString="value")
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:slack/webhook-??????"
    reads = aws.client(
        "secretsmanager", credentials=aws.new_user("r", s=allow("secretsmanager:GetSecretValue", resource=arn))
    )
    assert reads.get_secret_value(SecretId="slack/webhook")["SecretString"] == "value"
    refused(reads.get_secret_value, "AccessDeniedException", SecretId="other")
    refused(reads.put_secret_value, "AccessDeniedException", SecretId="slack/webhook", SecretString="y")


def test_an_older_version_needs_its_stage_allowed(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="first")
    secrets.put_secret_value(SecretId="key", SecretString="second")
    policy = allow("secretsmanager:GetSecretValue", StringEquals={"secretsmanager:VersionStage": "AWSCURRENT"})
    reads = aws.client("secretsmanager", credentials=aws.new_user("r", s=policy))
    assert reads.get_secret_value(SecretId="key")["SecretString"] == "second"
    refused(reads.get_secret_value, "AccessDeniedException", SecretId="key", VersionStage="AWSPREVIOUS")


def test_tags_given_with_a_secret_need_the_action_that_tags(aws: EmbeddedAws) -> None:
    makes = aws.client("secretsmanager", credentials=aws.new_user("m", s=allow("secretsmanager:CreateSecret")))
    makes.create_secret(Name="plain", SecretString="x")
    tags = [{"Key": "Stack", "Value": "volatility"}]
    refused(makes.create_secret, "AccessDeniedException", Name="tagged", SecretString="x", Tags=tags)
    both = allow(
        "secretsmanager:CreateSecret", "secretsmanager:TagResource", StringEquals={"aws:RequestTag/Stack": "volatility"}
    )
    aws.client("secretsmanager", credentials=aws.new_user("b", s=both)).create_secret(
        Name="tagged", SecretString="x", Tags=tags
    )


def test_the_secrets_own_policy_denies_and_allows(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="key", SecretString="x")
    named = aws.new_user("named")
    denied = aws.new_user("denied", s=allow("secretsmanager:*"))
    statements = [
        {"Effect": effect, "Principal": {"AWS": f"arn:aws:iam::123456789012:user/{name}"},
         "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
        for effect, name in (("Allow", "named"), ("Deny", "denied"))
    ]  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    secrets.put_resource_policy(SecretId="key", ResourcePolicy=policy)
    reads = aws.client("secretsmanager", credentials=named)
    assert reads.get_secret_value(SecretId="key")["SecretString"] == "x"
    refused(aws.client("secretsmanager", credentials=denied).get_secret_value, "AccessDeniedException", SecretId="key")


def test_a_deleted_secret_can_be_restored_until_its_window_is_over(aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    for name in ("restored", "gone"):
        secrets.create_secret(Name=name, SecretString="x")
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    refused(secrets.get_secret_value, "InvalidRequestException", SecretId="gone")
    refused(secrets.create_secret, "InvalidRequestException", Name="gone", SecretString="y")
    secrets.restore_secret(SecretId="restored")
    aws.advance(8 * DAY)
    refused(secrets.get_secret_value, "ResourceNotFoundException", SecretId="gone")
    secrets.create_secret(Name="gone", SecretString="y")
    assert secrets.get_secret_value(SecretId="restored")["SecretString"] == "x"


def test_moto_keeps_a_deleted_secret_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap that local_aws/services/secretsmanager/deletions.py closes. When this fails, moto closes it itself."""
    from moto.secretsmanager.models import secretsmanager_backends

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        client.create_secret(Name="s", SecretString="x")
        client.delete_secret(SecretId="s", RecoveryWindowInDays=7)
        secretsmanager_backends["123456789012"]["us-east-1"].secrets["s"].deleted_date -= 30 * DAY
        with pytest.raises(client.exceptions.ResourceExistsException):  # AWS has another error, too
            client.create_secret(Name="s", SecretString="y")

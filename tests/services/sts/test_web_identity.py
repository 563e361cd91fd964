"""A GitHub workflow takes a role: the trust policy's repository, branch and environment decide."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import RSAKey
from moto import mock_aws

from local_aws.home import Home
from local_aws.services.sts import github
from local_aws.testing import EmbeddedAws

ROLE = "arn:aws:iam::123456789012:role/deployer"
HOST = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"


def trust(subject: str, operator: str = "StringEquals") -> str:
    condition = {"StringEquals": {f"{HOST}:aud": "sts.amazonaws.com"}}
    condition.setdefault(operator, {})[f"{HOST}:sub"] = subject
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def account(aws: EmbeddedAws) -> EmbeddedAws:
    iam = aws.client("iam")
    iam.create_open_id_connect_provider(Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"])
    policy = trust("repo:acme/forecasts:environment:production")
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=policy)
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"}]}
    iam.put_role_policy(RoleName="deployer", PolicyName="deploy", PolicyDocument=json.dumps(may))
    return aws


def take(aws: EmbeddedAws, token: str, **parameters: Any) -> Any:
    sts = boto3.client(
        "sts", region_name="us-east-1", endpoint_url=aws.endpoint, config=Config(signature_version=UNSIGNED)
    )
    given = {"RoleArn": ROLE, "RoleSessionName": "deploy", "WebIdentityToken": token}
    return sts.assume_role_with_web_identity(**given | parameters)


def refused(aws: EmbeddedAws, token: str, code: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        take(aws, token, **parameters)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_the_job_of_the_environment_takes_the_role_and_may_what_it_may(account: EmbeddedAws) -> None:
    answer = take(account, github.token(Home(account.home), "acme/forecasts", environment="production"))
    assert answer["SubjectFromWebIdentityToken"] == "repo:acme/forecasts:environment:production"
    assert (answer["Provider"], answer["Audience"]) == (PROVIDER, "sts.amazonaws.com")
    keys = answer["Credentials"]
    session = account.client("s3", credentials={**keys, "Token": keys["SessionToken"]})
    session.create_bucket(Bucket="deployed")
    with pytest.raises(ClientError, match="AccessDenied"):
        session.list_buckets()


def test_a_branch_can_be_demanded_beside_the_environment(account: EmbeddedAws) -> None:
    policy = json.loads(trust("repo:acme/forecasts:environment:production"))
    policy["Statement"][0]["Condition"]["StringEquals"][f"{HOST}:ref"] = "refs/heads/main"
    account.client("iam").update_assume_role_policy(RoleName="deployer", PolicyDocument=json.dumps(policy))
    job = {"repository": "acme/forecasts", "environment": "production"}
    take(account, github.token(Home(account.home), **job))
    other = github.token(Home(account.home), **job, ref="refs/heads/experiment")
    assert "Not authorized" in refused(account, other, "AccessDenied")


@pytest.mark.parametrize(
    "job",
    [
        {"repository": "acme/forecasts"},
        {"repository": "acme/forecasts", "environment": "staging"},
        {"repository": "mallory/forecasts", "environment": "production"},
        {"repository": "acme/forecasts", "ref": "refs/pull/7/merge"},
    ],
)
def test_every_other_job_is_refused(account: EmbeddedAws, job: dict[str, str]) -> None:
    token = github.token(Home(account.home), **job)
    assert "Not authorized" in refused(account, token, "AccessDenied")


def test_a_repository_with_immutable_subjects_is_named_with_its_numbers(account: EmbeddedAws) -> None:
    """https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/"""
    policy = json.loads(trust("repo:acme@12/forecasts@34:environment:production"))
    policy["Statement"][0]["Condition"]["StringEquals"] |= {
        f"{HOST}:repository": "acme/forecasts",
        f"{HOST}:repository_id": "34",
    }
    account.client("iam").update_assume_role_policy(RoleName="deployer", PolicyDocument=json.dumps(policy))
    home = Home(account.home)
    take(account, github.token(home, "acme@12/forecasts@34", environment="production"))
    for other in ("acme/forecasts", "acme@12/forecasts@35"):
        refused(account, github.token(home, other, environment="production"), "AccessDenied")


def test_a_branch_can_be_the_condition(account: EmbeddedAws) -> None:
    policy = trust("repo:acme/forecasts:ref:refs/heads/release/*", "StringLike")
    account.client("iam").update_assume_role_policy(RoleName="deployer", PolicyDocument=policy)
    home = Home(account.home)
    take(account, github.token(home, "acme/forecasts", ref="refs/heads/release/1.2"))
    refused(account, github.token(home, "acme/forecasts"), "AccessDenied")


def test_tokens_that_are_no_good(account: EmbeddedAws) -> None:
    home = Home(account.home)
    good = github.token(home, "acme/forecasts", environment="production")
    header, claims, signature = good.split(".")
    assert "valid JWT" in refused(account, "no.token.at-all", "InvalidIdentityToken")
    refused(account, f"{header}.{claims}.{signature[:-8]}AAAAAAAA", "InvalidIdentityToken")
    other = jwt.encode({"alg": "RS256"}, {"iss": f"https://{HOST}", "sub": "x"}, RSAKey.generate_key(2048))
    refused(account, other, "InvalidIdentityToken")
    wrong = github.token(home, "acme/forecasts", environment="production", audience="somebody-else")
    assert "audience" in refused(account, wrong, "InvalidIdentityToken")
    stale = {"iss": f"https://{HOST}", "sub": "x", "aud": "sts.amazonaws.com", "exp": 1_700_000_000}
    refused(account, jwt.encode({"alg": "RS256"}, stale, github.signing_key(home)), "ExpiredTokenException")


def test_without_the_provider_nobody_is_known(account: EmbeddedAws) -> None:
    account.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    token = github.token(Home(account.home), "acme/forecasts", environment="production")
    assert "No OpenIDConnect provider" in refused(account, token, "InvalidIdentityToken")


def test_a_session_is_no_longer_than_the_role_allows(account: EmbeddedAws) -> None:
    token = github.token(Home(account.home), "acme/forecasts", environment="production")
    assert "MaxSessionDuration" in refused(account, token, "ValidationError", DurationSeconds=7200)
    account.client("iam").update_role(RoleName="deployer", MaxSessionDuration=7200)
    take(account, token, DurationSeconds=7200)


def test_the_command_prints_a_token_that_is_taken(account: EmbeddedAws) -> None:
    words = [sys.executable, "-m", "local_aws", "github-token", "acme/forecasts", "--environment", "production"]
    done = subprocess.run(words, env=account.env | {"PATH": ""}, text=True, capture_output=True, check=True, timeout=60)
    take(account, done.stdout.strip())


def test_moto_gives_anybody_any_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap that web_identity.py closes. When this fails, moto closes it itself."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sts = boto3.client("sts", region_name="us-east-1")
        assert sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="me", WebIdentityToken="nonsense")

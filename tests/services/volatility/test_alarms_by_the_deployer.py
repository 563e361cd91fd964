"""A job of the repository's workflow deploys the alarms with the token that GitHub gives it, and with no other permission."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_provision import changes
from tests.services.volatility import stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
REPOSITORY = "acme/forecasts"


@dataclass
class SignedIn:
    """The embedded AWS as a job sees it that signed in."""

    home: Path
    env: dict[str, str]


def sign_in(aws: Any) -> SignedIn:
    """What the workflow's step "Sign in to AWS" does."""
    command = [sys.executable, "-m", "local_aws", "github-token", REPOSITORY, "--environment", "local"]
    done = subprocess.run(
        command, env={**aws.env, "PATH": "/usr/bin:/bin"}, cwd=stack.ROOT, text=True, capture_output=True, check=True
    )
    role = aws.client("iam").get_role(RoleName=f"{stack.PREFIX}-deployer")["Role"]["Arn"]
    keys = aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="deploy", WebIdentityToken=done.stdout.strip()
    )["Credentials"]
    mine = {  # the inventory local acts as the account's owner, unless these say for whom
        "LOCAL_AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "LOCAL_AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "LOCAL_AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    return SignedIn(aws.home, {**aws.env, **mine})


def test_the_deployers_role_is_enough(aws: Any) -> None:
    stack.deploy(
        aws,
        "-e",
        f"volatility_identity_github_repository={REPOSITORY}",
        playbook=stack.only(*stack.ADMINISTRATORS),
    )
    job, playbook = sign_in(aws), stack.only("volatility_alarms")
    aws.forget_decisions()
    previewed = changes(stack.deploy(job, "--check", "--diff", playbook=playbook))
    assert (
        changes(stack.deploy(job, playbook=playbook)) == previewed + 1
    )  # the collection's module of rules has no check mode
    assert changes(stack.deploy(job, playbook=playbook)) == 0
    # The job asked, and not the account's owner.
    asked = {one["action"] for one in aws.decisions() if f"/{stack.PREFIX}-deployer" in one["principal"]}
    assert {"sns:CreateTopic", "cloudwatch:PutMetricAlarm", "budgets:ModifyBudget"} <= asked

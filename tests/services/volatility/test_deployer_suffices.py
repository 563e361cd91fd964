"""The workflow's role deploys with its own policy alone, on what an administrator has provisioned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local_aws.testing import EmbeddedAws
from tests.volatility_policies import roles

ROOT = Path(__file__).resolve().parents[3]
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/volatility-local-api@sha256:{'0' * 64}"
DEPLOY = """
- hosts: localhost
  gather_facts: false
  roles: [training_inputs, volatility_inputs]
  tasks:
    - import_role: {name: ROLE}
"""

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


@pytest.fixture
def provisioned(aws: EmbeddedAws) -> EmbeddedAws:
    subnets = aws.client("ec2").describe_subnets()["Subnets"][:2]
    values = {"vpc_id": subnets[0]["VpcId"], "subnet_ids": ",".join(one["SubnetId"] for one in subnets)}
    for name, value in values.items():
        aws.client("ssm").put_parameter(Name=f"/chronos-training/local/{name}", Value=value, Type="String")
    play(aws, "playbooks/provision_volatility.yml", {})
    return aws


def play(aws: EmbeddedAws, path: str, env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), path, *arguments],
        cwd=ROOT,
        env=os.environ | {k: str(v) for k, v in aws.env.items()} | {"LOCAL_AWS_HOME": str(aws.home), **env},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def deployer(provisioned: EmbeddedAws) -> dict[str, str]:
    """The keys of a user with the deployer's policy, which is larger than one managed policy."""
    statements = roles()["deployer"]["policy"]["Statement"]
    parts: list[Any] = [statements[::2], statements[1::2]]
    keys = provisioned.new_user(
        "deployer", **{f"part{n}": {"Version": "2012-10-17", "Statement": one} for n, one in enumerate(parts)}
    )
    return {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"]}


def test_it_deploys_alarms_and_previews_the_api(
    provisioned: EmbeddedAws, deployer: dict[str, str], tmp_path: Path
) -> None:
    alarms, api = tmp_path / "alarms.yml", tmp_path / "api.yml"
    alarms.write_text(DEPLOY.replace("ROLE", "volatility_alarms"))
    api.write_text(DEPLOY.replace("ROLE", "volatility_api"))
    mail = json.dumps({"volatility_alarms_emails": ["ada@example.org"]})
    assert "failed=0" in play(provisioned, str(alarms), deployer, "-e", mail)
    assert "changed=0" in play(provisioned, str(alarms), deployer, "-e", mail)
    assert "failed=0" in play(provisioned, str(api), deployer, "--check", "-e", f"volatility_api_image={IMAGE}")

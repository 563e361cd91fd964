"""Signing in has not worked: each command says so in its own sentence, once, and help needs no AWS at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SSO = """
[profile work]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Trainer
region = us-east-1
[sso-session corp]
sso_start_url = https://example.invalid/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
"""
NO_TOKEN = "Error loading SSO Token: Token for corp does not exist"
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Somebody with one profile and nothing else."""
    (tmp_path / "config").write_text(SSO)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_AWS_"))}
    return kept | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
        "NO_COLOR": "1",
    }


def command(environment: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [BIN / words[0], *words[1:]], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def said_once(output: str, sentence: str) -> None:
    assert output.count(sentence) == 1, output
    for noise in ("[ERROR]", "[WARNING]", "Traceback", "Failed to parse", "Origin:"):
        assert noise not in output, output


def test_the_plays_of_the_project_need_no_host_of_ec2() -> None:
    """Why EC2 need not be asked for hosts before they run."""
    for name in PLAYBOOKS:
        plays = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())
        assert {play["hosts"] for play in plays} == {"localhost"}, name


@pytest.mark.parametrize(
    ("playbook", "env", "profile", "sentence"),
    [
        ("verify_cleanup", "dev", "work", f"your AWS credentials have expired, or cannot be renewed ({NO_TOKEN})"),
        (
            "launch_training",
            "stage",
            "",
            "there are no AWS credentials. Set AWS_PROFILE to a profile, sign in with `aws",
        ),
        ("provision_infrastructure", "prod", "wrok", "The config profile (wrok) could not be found. Check AWS_PROFILE"),
    ],
)
def test_a_playbook_says_it_in_one_sentence(
    environment: dict[str, str], playbook: str, env: str, profile: str, sentence: str
) -> None:
    if profile:
        environment["AWS_PROFILE"] = profile
    code, output = command(environment, "ansible-playbook", "-i", f"inventories/{env}", f"playbooks/{playbook}.yml")
    assert code == 2
    said_once(output, sentence)
    if profile == "work":
        assert "`aws sso login --profile work`" in output


def test_keys_that_have_expired_and_a_table_of_instances(aws: Any, environment: dict[str, str]) -> None:
    """The dynamic inventory itself, in the one sentence that a playbook says, and with AWS's own words."""
    words = "The security token included in the request is expired"
    environment |= {name: str(value) for name, value in aws.env.items() if name.startswith("AWS_")}
    aws.fault("DescribeInstances", "RequestExpired", "Request has expired.", times=1)
    inventory = ("ansible-inventory", "-i", "inventories/dev", "--graph")
    code, output = command(environment, *inventory)
    assert code == 1 and "credentials have expired (RequestExpired: Request has expired)" in output
    assert output.startswith("[ERROR]: Could not list the instances") and len(output.splitlines()) == 1, output
    code, output = command(environment, *inventory)
    assert code == 0 and "@aws_ec2:" in output and "localhost" in output, output
    aws.fault("GetParametersByPath", "ExpiredTokenException", words, times=None)
    code, output = command(environment, "ansible-playbook", "-i", "inventories/dev", "playbooks/list_runs.yml")
    assert code == 2
    said_once(output, f"your AWS credentials have expired (ExpiredTokenException: {words}).")


def test_help_needs_no_credentials(environment: dict[str, str]) -> None:
    paths = [f"playbooks/{name}.yml" for name in PLAYBOOKS]
    code, output = command(environment, "ansible-playbook", "-i", "inventories/dev", *paths, "-e", "help=true")
    assert code == 0, output
    assert output.count("Of the inventory, for every role") == len(PLAYBOOKS)

"""Environments beside each other in one account, and playbooks where there is nothing yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from chronos_training.control.options.settings import parameter_path
from local_aws.testing import wait_for

from .little_model import make_model
from .test_provision import no_guard, no_identity

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
ACCOUNT = "123456789012"

pytestmark = pytest.mark.timeout(900)


def start(aws: Any, playbook: str, *arguments: str, keys: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a playbook as somebody with `keys` would, by default as the account's root."""
    environment = os.environ | {name: str(value) for name, value in aws.env.items()} | {"NO_COLOR": "1"}
    if keys:
        parts = {"ACCESS_KEY_ID": "AccessKeyId", "SECRET_ACCESS_KEY": "SecretAccessKey"}
        environment |= {f"{who}{name}": keys[part] for who in ("AWS_", "LOCAL_AWS_") for name, part in parts.items()}
    return subprocess.Popen(
        [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}.yml", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def play(aws: Any, playbook: str, *arguments: str, keys: dict[str, str] | None = None) -> tuple[int, str]:
    process = start(aws, playbook, *arguments, keys=keys)
    output, _ = process.communicate()
    return process.returncode, output


def kill_at(aws: Any, action: str, playbook: str, *arguments: str) -> None:
    """Start a playbook and kill it, with everything that it has started, when it asks AWS for `action`, which is not done."""
    aws.fault(action, "InvalidParameterValue", "nobody is there to read this", delay=5)
    process = psutil.Process(start(aws, playbook, *arguments).pid)
    wait_for(lambda: not aws.faults(), f"{action} of {playbook}", 120)
    # Ansible's workers are in sessions of their own: they would go on.
    for one in [process, *process.children(recursive=True)]:
        one.kill()
    process.wait()


def of(environment: str) -> tuple[str, str]:
    """The arguments that choose an environment."""
    return "-i", f"inventories/{environment}"


def bucket(environment: str) -> str:
    return f"chronos-training-{environment}-{ACCOUNT}-us-east-1"


def contents(aws: Any, environment: str) -> dict[str, Any]:
    """What can be changed of an environment by somebody who runs trainings."""
    s3, ssm = aws.client("s3"), aws.client("ssm")
    objects = s3.list_objects_v2(Bucket=bucket(environment)).get("Contents", [])
    values = ssm.get_parameters_by_path(Path=parameter_path(environment))["Parameters"]
    return {
        "objects": {one["Key"]: one["ETag"] for one in objects},
        "parameters": {one["Name"]: one["Value"] for one in values},
        "schedules": aws.client("scheduler").list_schedules(GroupName=f"chronos-training-{environment}")["Schedules"],
        "instances": aws.client("ec2").describe_instances()["Reservations"],
    }


# What a playbook needs beside the inventory.
VARIABLES = {
    "promote_model": {"volatility_promote_version": "log-har-20181207-00000000", "volatility_promote_reason": "a test"},
    "publish_model": {"training_model_name": "m", "training_model_source": "/no/such/folder"},
    "fetch_run": {"training_results_run_id": "20260101-010101"},
    "monitor_training": {"training_monitor_run_id": "20260101-010101"},
}


def variables(playbook: str, **more: Any) -> tuple[str, ...]:
    return "-e", json.dumps({**VARIABLES.get(playbook, {}), **more})


def test_who_runs_trainings_in_dev_can_do_nothing_in_stage(aws: Any, tmp_path: Path) -> None:
    for environment in ("dev", "stage"):
        status, output = play(aws, "provision_infrastructure", *of(environment))
        assert status == 0, output
    aws.client("s3").put_object(Bucket=bucket("stage"), Key="stage/system-state.json", Body=b"{}")
    keys = aws.new_user("ada")
    policy = f"arn:aws:iam::{ACCOUNT}:policy/chronos-training-dev-operator"
    aws.client("iam").attach_user_policy(UserName="ada", PolicyArn=policy)

    # It is her environment, and she is there.
    status, output = play(aws, "list_runs", *of("dev"), keys=keys)
    assert status == 0 and "there are no runs in dev" in output, output

    before, model = contents(aws, "stage"), make_model(tmp_path / "model")
    for playbook in PLAYBOOKS:
        if playbook == "publish_runtime":
            continue  # it builds for minutes before it stores into the same bucket as publish_dataset and publish_model
        # The bucket is named, so that nothing depends on the settings that she cannot read either.
        named = variables(playbook, training_bucket=bucket("stage"), training_model_source=str(model))
        status, output = play(aws, playbook, *of("stage"), *named, keys=keys)
        assert status != 0, f"{playbook}: {output}"
        assert any(words in output for words in REFUSED), f"{playbook}: {output}"
        assert "Traceback" not in output, f"{playbook}: {output}"
    assert contents(aws, "stage") == before


# How a refusal by AWS is told: by the call, by the name of its error, and of a bucket by what it may mean.
REFUSED = ("missing permission", "not authorized", "these credentials have no access to it")

# What each says of an account in which nothing is. Publishing foretells what it would do after provisioning.
NO_ENVIRONMENT = "Environment local is not provisioned in us-east-1"
NO_BUCKET = f"the bucket {bucket('local')} does not exist yet; to create it: make provision"
NO_CHAIN = "Environment local has no daily chain. Deploy it first: make volatility-deploy"
NO_API = "Environment local has no API. Deploy it first: make volatility-deploy"
# These need what another one makes, and say which.
REFUSING = {
    "run_volatility": NO_CHAIN,
    "promote_model": NO_CHAIN,
    "rollback_model": NO_CHAIN,
    "check_volatility": NO_API,
    "load_test_volatility": NO_API,
    "deploy_volatility": "Publish the images first: make volatility-images",
}
SAID = {
    "publish_images": "would change: Images | Make the repositories",
    "provision_volatility": "would change: Storage | Make the key",
    "teardown_volatility": "Nothing exists.",
    "check_account": "after make provision",
    "provision_infrastructure": "would be created",
    "teardown_infrastructure": "Nothing exists.",
    "publish_dataset": NO_BUCKET,
    "publish_runtime": NO_BUCKET,
    "publish_model": NO_BUCKET,
}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_preview_in_an_empty_account_makes_nothing_and_says_what_is_missing(aws: Any, playbook: str) -> None:
    status, output = play(aws, playbook, "--check", *variables(playbook))
    assert (SAID | REFUSING).get(playbook, NO_ENVIRONMENT) in output, output
    if playbook in REFUSING:
        assert status != 0, output
    elif playbook not in SAID:
        assert status != 0 and "provision it: make provision" in output, output
    elif playbook != "publish_model":  # there is no such model either
        assert status == 0, output
    assert "Traceback" not in output, output
    assert aws.client("s3").list_buckets()["Buckets"] == []
    parameters = aws.client("ssm").describe_parameters()["Parameters"]
    assert [one["Name"] for one in parameters if not one["Name"].startswith("/aws/service/")] == []  # AWS's own stay
    assert aws.client("ec2").describe_instances()["Reservations"] == []
    assert all(vpc["IsDefault"] for vpc in aws.client("ec2").describe_vpcs()["Vpcs"])
    assert no_identity(aws) and no_guard(aws)


@pytest.mark.long
def test_an_environment_that_was_half_made_or_half_removed_is_finished_by_the_next_try(aws: Any) -> None:
    kill_at(aws, "CreateSubnet", "provision_infrastructure")
    status, output = play(aws, "provision_infrastructure")
    assert status == 0, output
    whole = len(aws.client("ssm").describe_parameters()["Parameters"])
    assert whole > 0

    # From what uses to what is used: first nobody can begin anything there.
    kill_at(aws, "DeletePolicy", "teardown_infrastructure")
    parameters = aws.client("ssm").describe_parameters()["Parameters"]
    assert [one["Name"] for one in parameters if not one["Name"].startswith("/aws/service/")] == []  # AWS's own stay
    assert aws.client("iam").list_roles()["Roles"] and aws.client("ec2").describe_vpcs()["Vpcs"]
    kill_at(aws, "DeleteSubnet", "teardown_infrastructure")
    assert no_identity(aws) and no_guard(aws)
    status, output = play(aws, "teardown_infrastructure")
    assert status == 0, output
    assert all(vpc["IsDefault"] for vpc in aws.client("ec2").describe_vpcs()["Vpcs"])
    status, output = play(aws, "teardown_infrastructure")
    assert status == 0 and "changed=0" in output, output
    # The bucket is kept, with whatever is in it; naming it removes it.
    status, output = play(aws, "teardown_infrastructure", "-e", f"training_teardown_delete_bucket={bucket('local')}")
    assert status == 0 and aws.client("s3").list_buckets()["Buckets"] == [], output

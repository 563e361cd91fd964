"""The volatility stack's roles as they are rendered: AWS's reference, their limits, whom they trust, what they cannot."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports pkg_resources
    import parliament

from chronos_training.control.volatility import bucket
from tests.volatility_policies import ACCOUNT, KEY_ARN, REGION, roles, value

ROLES = roles()
BUCKET = value("volatility_bucket")
STATEMENTS = [(role, one) for role, found in ROLES.items() for one in found["policy"]["Statement"]]
# What parliament says all the same, and why it is meant.
MEANT = {
    # AWS documents them without a resource; Step Functions asks for "*".
    ("chain", "DeliverTheLog"): "RESOURCE_STAR",
    ("deployer", "SeeWhatThereIs"): "RESOURCE_STAR",
    ("deployer", "SeeTaskDefinitions"): "RESOURCE_STAR",
    ("deployer", "FindTheChain"): "RESOURCE_STAR",
    ("deployer", "FollowExecutions"): "RESOURCE_MISMATCH",  # the chain is no express one
}


def actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def resources(statement: dict[str, Any]) -> list[str]:
    found = statement["Resource"]
    return [found] if isinstance(found, str) else list(found)


@pytest.mark.parametrize(("role", "statement"), STATEMENTS, ids=lambda one: one if isinstance(one, str) else one["Sid"])
def test_every_statement_fits_the_reference(role: str, statement: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    found = [f"{one.issue}: {one.detail}" for one in parliament.analyze_policy_string(document).findings]
    meant = MEANT.get((role, statement["Sid"]), "nothing")
    assert [line for line in found if not line.startswith(meant)] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_policy_has_the_size_that_a_role_can_hold(role: str) -> None:
    document = json.dumps(ROLES[role]["policy"], separators=(",", ":"))
    assert len(document) < 10_000, "a role's inline policies have 10,240 characters"
    assert len(json.dumps(ROLES[role]["trust"], separators=(",", ":"))) < 2048


@pytest.mark.parametrize(("role", "statement"), STATEMENTS, ids=lambda one: one if isinstance(one, str) else one["Sid"])
def test_nothing_is_allowed_by_a_wildcard(role: str, statement: dict[str, Any]) -> None:
    assert statement["Effect"] == "Allow" and not any("*" in action for action in actions(statement))
    if "*" in resources(statement):
        assert all(action.partition(":")[2].startswith(("Describe", "List", "Get")) or "Log" in action or "Resource" in action
                   or action == "ecs:DeregisterTaskDefinition" for action in actions(statement)), statement["Sid"]  # fmt: skip


def test_steps_write_objects_once_but_for_the_pointers() -> None:
    free: dict[str, list[str]] = {}
    for role, statement in STATEMENTS:
        if "s3:PutObject" in actions(statement) and "Condition" not in statement:
            free[role] = [one.removeprefix(f"arn:aws:s3:::{BUCKET}/") for one in resources(statement)]
    assert free == {
        "ingest": ["settings.json"],
        "gate": ["models/champion.json"],
        "infer": ["serving/latest.json"],
    }
    assert not [role for role, one in STATEMENTS if any(action.startswith("s3:Delete") for action in actions(one))]


def test_no_table_has_two_writers() -> None:
    writers: dict[str, list[str]] = {}
    for role, statement in STATEMENTS:
        for key in resources(statement) if "s3:PutObject" in actions(statement) else []:
            writers.setdefault(key, []).append(role)
    assert {key: who for key, who in writers.items() if len(who) > 1} == {}


def test_the_deployer_is_a_job_of_one_repository_branch_and_environment() -> None:
    (statement,) = ROLES["deployer"]["trust"]["Statement"]
    host = "token.actions.githubusercontent.com"
    assert statement["Condition"] == {
        "StringEquals": {
            f"{host}:aud": "sts.amazonaws.com",
            f"{host}:ref": "refs/heads/main",
            f"{host}:sub": "repo:acme/forecasts:environment:local",
        }
    }
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}


def test_the_deployer_writes_no_role_key_bucket_or_secret_and_reads_no_data() -> None:
    may = [action for role, one in STATEMENTS if role == "deployer" for action in actions(one)]
    assert not [action for action in may if action.startswith(("s3:", "kms:", "dynamodb:", "sts:"))]
    assert [action for action in may if action.startswith("iam:")] == ["iam:PassRole"] * 5
    assert [action for action in may if action.startswith("secretsmanager:")] == ["secretsmanager:GetSecretValue"]


@pytest.mark.parametrize("role", ["training", "execution", "chain", "scheduler"])
def test_a_service_takes_a_role_for_this_account_only(role: str) -> None:
    (statement,) = ROLES[role]["trust"]["Statement"]
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT
    said = json.dumps(statement["Condition"])
    assert f":{REGION}:{ACCOUNT}:" in said and "aws:SourceArn" in said


def test_switches_that_are_off_allow_nothing() -> None:
    off = roles(KEY_ARN, volatility_identity_mirror=False, volatility_identity_macro=False)
    kinds = {action.partition(":")[0] for one in off["infer"]["policy"]["Statement"] for action in actions(one)}
    assert kinds == {"s3", "kms", "logs"}
    assert "macro" not in json.dumps(off["ingest"]) and "secretsmanager" not in json.dumps(off["ingest"])
    assert "dynamodb" in json.dumps(ROLES["api"]) and "dynamodb" not in json.dumps(off["api"])


def test_the_key_is_of_use_through_s3_alone() -> None:
    keep, use = value("volatility_storage_key_policy")["Statement"]
    assert not {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"} & set(actions(keep))
    assert use["Condition"]["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": f"s3.{REGION}.amazonaws.com",
    }


def test_the_bucket_denies_what_comes_in_the_clear_or_under_another_key() -> None:
    policy = bucket.policy(BUCKET, KEY_ARN)
    found = [f"{one.issue}: {one.detail}" for one in parliament.analyze_policy_string(json.dumps(policy)).findings]
    assert [line for line in found if "Principal" not in line] == []
    assert {one["Effect"] for one in policy["Statement"]} == {"Deny"}
    assert [one["Sid"] for one in policy["Statement"]] == ["DenyWithoutTls", "DenyAnotherEncryption", "DenyAnotherKey"]

"""Somebody whose only policy is the administrator's makes, mends and removes an environment; and no action of it is idle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.policies import Deployment, people_policy

from .test_environments import ACCOUNT, bucket, play
from .test_provision import GUARD_ROLE_NAME, INSTANCE_NAME, QUEUE_NAME, changes, edit_policies_for_people, network

pytestmark = pytest.mark.timeout(600)

TEAM = {
    "Project": "Chronos-Training",
    "Environment": "local",
    "CostCenter": "4711",
    "ManagedBy": "Ansible",
    "Team": "a",
}


def edit_by_hand(aws: Any) -> None:
    """Change as the account's root what only the next provisioning would set right, so that it has to."""
    ec2, iam, sqs = aws.client("ec2"), aws.client("iam"), aws.client("sqs")
    group = network(aws)["groups"][0]["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    trust = iam.get_role(RoleName=GUARD_ROLE_NAME)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com"}
    iam.update_assume_role_policy(RoleName=GUARD_ROLE_NAME, PolicyDocument=json.dumps(trust))
    queue = sqs.get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"SqsManagedSseEnabled": "false"})
    edit_policies_for_people(aws)
    iam.create_user(UserName="ada")
    iam.attach_user_policy(UserName="ada", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/chronos-training-local-operator")


# Whom a policy is attached to decides which of the three is asked; a new version is made only of a text that no version has.
ONE_OF_THREE = {"iam:DetachGroupPolicy", "iam:DetachRolePolicy", "iam:CreatePolicyVersion"}


# The quickstart's administrator (tests/e2e) shows that it is enough; only this shows that nothing in it is idle.
@pytest.mark.long
def test_it_is_enough_for_the_life_of_an_environment_and_holds_nothing_idle(aws: Any) -> None:
    policy = people_policy("administrator", Deployment(bucket("local")))
    keys = aws.new_user("eve", administrator=policy)
    aws.forget_decisions()
    status, output = play(aws, "provision_infrastructure", "-e", json.dumps({"training_tags": TEAM}), keys=keys)
    assert status == 0, output
    edit_by_hand(aws)
    status, output = play(aws, "provision_infrastructure", "-e", "training_cost_center=other", keys=keys)
    assert status == 0 and changes(output) > 8, output
    aws.client("s3").put_object(Bucket=bucket("local"), Key="local/runs/2026/01/01-120000/models/m", Body=b"a model")
    delete = f"training_teardown_delete_bucket={bucket('local')}"
    status, output = play(aws, "teardown_infrastructure", "-e", delete, keys=keys)
    assert status == 0 and "Nothing exists." in output, output
    assert aws.client("iam").list_roles()["Roles"] == [] and INSTANCE_NAME not in output
    used = {(sid, row["action"]) for row in aws.decisions() if row["allowed"] for sid in row["by"]}
    idle = [
        f"{statement['Sid']}: {action}"
        for statement in policy["Statement"]
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        if action not in ONE_OF_THREE and not any(_is(action, sid, statement["Sid"], asked) for sid, asked in used)
    ]
    assert idle == [], "\n".join(idle)


def _is(action: str, by: str, sid: str, asked: str) -> bool:
    """Whether a decision for `asked`, by the statement `by`, is one for this action of the statement `sid`."""
    same = asked == action or (action.endswith("*") and asked.startswith(action[:-1]))
    return by.endswith(f"/{sid}") and same


@pytest.mark.long
def test_a_teardown_leaves_the_administrators_policy_to_whoever_works_with_it(aws: Any) -> None:
    status, output = play(aws, "provision_infrastructure")
    assert status == 0, output
    keys = aws.new_user("eve")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/chronos-training-local-administrator"
    aws.client("iam").attach_user_policy(UserName="eve", PolicyArn=arn)
    status, output = play(aws, "teardown_infrastructure", keys=keys)
    assert status == 0 and "The policy chronos-training-local-administrator is attached to somebody" in output, output
    assert [p["Arn"] for p in aws.client("iam").list_policies(Scope="Local")["Policies"]] == [arn]

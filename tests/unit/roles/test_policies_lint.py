"""parliament, which carries AWS's service authorization reference, finds nothing in our policies.

It knows which actions there are, which resources each takes and which condition keys: a misspelt one would deny (or allow)
something else on AWS than is meant, and the embedded AWS cannot know all of them.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports pkg_resources
    import parliament

from chronos_training.control.provision.names import TASKS
from chronos_training.control.volatility import names
from tests.policies import ROLES, Deployment, guard_policy, instance_policy, people_policy

PLAYBOOKS = ROLES.parent / "playbooks"
DEPLOYMENT = Deployment(bucket="chronos-training-stage-123456789012-us-east-1", env="stage")
POLICIES = {
    "instance": instance_policy(DEPLOYMENT),
    "scheduler": guard_policy(DEPLOYMENT),
    "operator": people_policy("operator", DEPLOYMENT),
    "publisher": people_policy("publisher", DEPLOYMENT),
    "administrator": people_policy("administrator", DEPLOYMENT),
    "monitor": people_policy("monitor", DEPLOYMENT),
}
# AWS's own parameters belong to no account; the reference only knows those of an account.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
OF_NO_ACCOUNT = {"Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:{DEPLOYMENT.region}::parameter/aws/service/*"}

# What parliament says all the same, and why it is meant.
MEANT = {
    "KeepTheBucket": "RESOURCE_POLICY_PRIVILEGE_ESCALATION",  # whoever makes the bucket writes its policy
    "SeeTheVolatilityStack": "RESOURCE_STAR",  # what only looks, short: a managed policy has 6,144 characters
    "MakeTheGateway": "RESOURCE_MISMATCH",  # the VPC that it is attached to stands in ChangeOwnNetwork
}


def findings(statements: list[dict[str, Any]]) -> list[str]:
    said = parliament.analyze_policy_string(json.dumps({"Version": "2012-10-17", "Statement": statements})).findings
    return [f"{finding.issue}: {finding.detail}" for finding in said]


def is_launch(statement: dict[str, Any]) -> bool:
    return statement["Action"] == "ec2:RunInstances"


@pytest.mark.parametrize("name", POLICIES)
def test_every_statement_fits_the_reference(name):
    for statement in POLICIES[name]["Statement"]:
        if {key: statement[key] for key in OF_NO_ACCOUNT} == OF_NO_ACCOUNT:
            continue
        found = findings([statement])
        if is_launch(statement):  # one kind of resource each, with its own conditions; together below
            found = [line for line in found if not line.startswith("RESOURCE_MISMATCH")]
        if "ec2:Describe*" in statement["Action"]:  # most take no resource, and none changes anything
            found = [line for line in found if not line.startswith("RESOURCE_STAR")]
        meant = MEANT.get(statement["Sid"], "nothing")
        assert [line for line in found if not line.startswith(meant)] == [], statement["Sid"]


def test_the_launch_statements_together_name_every_resource_of_a_launch():
    launches = [s for s in POLICIES["operator"]["Statement"] if is_launch(s)]
    resources = [r for s in launches for r in (s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]])]
    whole = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": resources}
    assert findings([whole]) == []
    without_subnets = [resource for resource in resources if ":subnet/" not in resource]
    assert findings([{**whole, "Resource": without_subnets}]) != []


@pytest.mark.parametrize(
    ("wrong", "issue"),
    [
        ({"Action": "scheduler:DeleteSchedul"}, "UNKNOWN_ACTION"),
        ({"Resource": "arn:aws:scheduler:*:123456789012:schedules/group/*"}, "RESOURCE_MISMATCH"),
        ({"Condition": {"StringEquals": {"ec2:ResourceTag/Project": "x"}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
        ({"Condition": {"StringEqual": {"aws:RequestedRegion": "x"}}}, "UNKNOWN_OPERATOR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_would_be_found(wrong, issue):
    right = {
        "Effect": "Allow",
        "Action": "scheduler:DeleteSchedule",
        "Resource": "arn:aws:scheduler:*:123456789012:schedule/group/*",
    }
    assert findings([right]) == []
    assert issue in findings([{**right, **wrong}])[0]


def test_every_playbook_has_a_policy_that_is_enough_for_it():
    # check_account is for whoever wants to know what is missing, whatever that is.
    playbooks = {path.stem for path in (ROLES.parent / "playbooks").glob("*.yml")} - {"check_account"}
    of_volatility = {name for name in playbooks if "role: volatility_inputs" in (PLAYBOOKS / f"{name}.yml").read_text()}
    assert playbooks - of_volatility == {name for playbooks in TASKS.values() for name in playbooks}
    assert set(TASKS) <= set(POLICIES)
    assert of_volatility <= {*names.DEPLOYER, *names.ADMINISTRATOR}

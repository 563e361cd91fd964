"""The termination schedule's role as it is rendered: who may use it, and that it ends only what carries both tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml

ROLE = Path(__file__).parents[3] / "roles/training_guard"
INPUTS = {
    "training_guard_env": "dev",
    "training_guard_project": "Chronos-Training",
    "training_guard_region": "us-east-1",
    "training_guard_account_id": "123456789012",
}


def rendered() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return ids, policy and trust policy."""

    def render(path: str, **known: Any) -> str:
        text = (ROLE / path).read_text()
        return str(jinja2.Template(text, undefined=jinja2.StrictUndefined).render(**INPUTS, **known))

    names = {
        "__training_guard_role_name": "chronos-training-dev-scheduler",
        "__training_guard_queue_name": "chronos-training-dev-guard-dlq",
    }
    ids = yaml.safe_load(render("vars/main/names.yml", **names))["training_guard_ids"]
    policy = yaml.safe_load(render("vars/main/policy.yml", training_guard_ids=ids))["training_guard_policy"]
    trust = json.loads(render("templates/trust_policy.json.j2", training_guard_ids=ids))
    return ids, policy, trust


def test_it_ends_what_carries_both_tags_and_tells_of_failures_and_nothing_else() -> None:
    ids, policy, _ = rendered()
    ending, telling = policy["Statement"]
    assert ending == {
        "Sid": "TerminateOwnEnvironment",
        "Effect": "Allow",
        "Action": "ec2:TerminateInstances",
        "Resource": "arn:aws:ec2:us-east-1:123456789012:instance/*",
        "Condition": {
            "StringEquals": {"ec2:ResourceTag/Project": "Chronos-Training", "ec2:ResourceTag/Environment": "dev"}
        },
    }
    assert (telling["Action"], telling["Resource"]) == ("sqs:SendMessage", ids["queue_arn"])
    assert ids["queue_arn"] == "arn:aws:sqs:us-east-1:123456789012:chronos-training-dev-guard-dlq"


def test_only_the_scheduler_of_this_account_for_this_group_may_use_it() -> None:
    ids, _, trust = rendered()
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": "123456789012",
        "aws:SourceArn": "arn:aws:scheduler:us-east-1:123456789012:schedule-group/chronos-training-dev",
    }
    assert ids["role_arn"] == "arn:aws:iam::123456789012:role/chronos-training-dev-scheduler"

"""The instance role's policy as the role renders it: least privilege, statement by statement (R30, C2-C4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

POLICY = Path(__file__).parents[3] / "roles/training_identity/vars/main/policy.yml"
BUCKET = "arn:aws:s3:::chronos-training-dev-123456789012-us-east-1"


@pytest.fixture(scope="module")
def statements() -> dict[str, dict[str, Any]]:
    text = jinja2.Template(POLICY.read_text(), undefined=jinja2.StrictUndefined).render(
        training_identity_bucket=BUCKET.rsplit(":", 1)[1],
        training_identity_env="dev",
        training_identity_project="Chronos-Training",
        training_identity_region="us-east-1",
        training_identity_account_id="123456789012",
        __training_identity_guard_group="chronos-training-dev",
    )
    return {s["Sid"]: s for s in yaml.safe_load(text)["training_identity_policy"]["Statement"]}


def actions(statement: dict[str, Any]) -> set[str]:
    return {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])


def test_no_statement_has_a_wildcard_action_and_only_describe_has_every_resource(
    statements: dict[str, dict[str, Any]],
) -> None:
    for name, statement in statements.items():
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in actions(statement)), name
        if statement["Resource"] == "*":
            assert all(action.startswith("ec2:Describe") for action in actions(statement)), name
            assert "Condition" not in statement  # Describe calls take no condition: with one they are always denied


def test_it_writes_only_its_environments_state_runs_and_logs(statements: dict[str, dict[str, Any]]) -> None:
    writers = {n: s for n, s in statements.items() if actions(s) & {"s3:PutObject", "s3:DeleteObject"}}
    assert list(writers) == ["WriteOwnEnvironment"]
    assert writers["WriteOwnEnvironment"]["Resource"] == [
        f"{BUCKET}/dev/system-state.json",
        f"{BUCKET}/dev/runs/*",
        f"{BUCKET}/dev/logs/*",
    ]


def test_it_reads_datasets_runtime_and_its_own_configurations(statements: dict[str, dict[str, Any]]) -> None:
    assert statements["ReadWhatIsPublished"]["Resource"] == [f"{BUCKET}/cached-datasets/*", f"{BUCKET}/runtime/*"]
    assert statements["ReadConfigurations"]["Resource"] == f"{BUCKET}/dev/configs/*"


def test_a_listing_names_a_prefix(statements: dict[str, dict[str, Any]]) -> None:
    listing = statements["ListOwnPrefixes"]
    assert (actions(listing), listing["Resource"]) == ({"s3:ListBucket"}, BUCKET)
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["cached-datasets/*", "runtime/*", "dev/*"]}}


def test_it_terminates_only_what_carries_both_tags(statements: dict[str, dict[str, Any]]) -> None:
    ending = statements["TerminateOwnEnvironment"]
    assert actions(ending) == {"ec2:TerminateInstances"}
    assert ending["Resource"] == "arn:aws:ec2:us-east-1:123456789012:instance/*"
    assert ending["Condition"] == {
        "StringEquals": {"ec2:ResourceTag/Project": "Chronos-Training", "ec2:ResourceTag/Environment": "dev"}
    }


def test_it_takes_away_only_schedules_of_its_own_group(statements: dict[str, dict[str, Any]]) -> None:
    unguarding = statements["TakeOwnGuardAway"]
    assert actions(unguarding) == {"scheduler:DeleteSchedule"}
    assert unguarding["Resource"] == "arn:aws:scheduler:us-east-1:123456789012:schedule/chronos-training-dev/*"

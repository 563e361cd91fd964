"""Every value of an inventory is compared with AWS's own rules, and everything wrong is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chronos_training.control.options import aws_rules, inputs, values

ROOT = Path(__file__).parents[4]
ROLES = inputs.read_roles(ROOT / "roles")
OPTIONS = {name: option for role in ROLES.values() for name, option in role.options.items()}
TAGS = {"Project": "P", "Environment": "dev", "CostCenter": "c", "ManagedBy": "Ansible"}
WRITTEN = {"training_tags": {**TAGS, "CostCenter": "{{ training_cost_center }}"}, "training_cost_center": "c"}
RIGHT: dict[str, Any] = {
    "training_context_env": "dev",
    "training_context_region": "us-east-1",
    "training_context_bucket_override": "",
    "training_network_region": "us-east-1",
    "training_network_env": "dev",
    "training_access_project": "P",
    "training_access_env": "dev",
    "training_access_tags": TAGS,
    "training_network_cidr": "10.40.0.0/16",
    "training_network_subnet_cidrs": ["10.40.0.0/20", "10.40.16.0/20"],
    "training_network_zones": [],
    "training_storage_logs_expire_days": 14,
    "training_storage_runs_standard_ia_days": 30,
    "training_storage_runs_expire_days": 90,
    "training_storage_abort_multipart_days": 7,
    "training_launch_instance_types": ["g4dn.2xlarge", "m7i-flex.large", "u-6tb1.metal"],
    "training_launch_volume_gb": 100,
    "training_launch_price_per_hour": "",
    "training_launch_image_parameter": "/aws/service/a/b-1/latest/ami-id",
}
# Who says what is right of the other options, before anything is made.
ELSEWHERE = {
    "bool": "Ansible: true or false",
    "choices": "Ansible: one of the choices",
    "path": "what reads the file says that it is not there",
    "training_dataset_columns": "data/columns.py",
    "training_dataset_format": "data/",
    "training_dataset_name": "control/publish/dataset_source.py NAME",
    "training_dataset_rules": "data/rules.py",
    "training_dataset_source": "control/publish/dataset_source.py",
    "training_dataset_targets": "the columns of the source",
    "training_launch_config": "the names in training/configs",
    "training_launch_repeat_run": "control/launch/rerun.py",
    "training_launch_resume_run": "control/launch/lineage.py",
    "training_lock_run_id": "control/lifecycle/break_stale_lock.py",
    "training_model_name": "control/publish/models.py NAME",
    "training_model_revision": "the hub",
    "training_model_source": "control/publish/models.py",
    "training_monitor_run_id": "core/layout.py",
    "training_results_run_id": "core/layout.py",
    "training_runs_compare": "core/layout.py",
    "training_runtime_interpreter": "control/publish/interpreter.py",
    "volatility_check_session": "control/volatility/smoke.py",
    "volatility_images_build_options": "the builder",
    "volatility_images_builder": "control/volatility/images.py",
    "volatility_images_tag": "ECR",
    "volatility_load_test_session": "the API",
    "volatility_pipeline_evening": "EventBridge Scheduler",
    "volatility_pipeline_morning": "EventBridge Scheduler",
    "volatility_pipeline_settings": "volatility/settings.py, in each step",
    "volatility_pipeline_timezone": "EventBridge Scheduler",
    "volatility_pipeline_train_cpu": "ECS",
    "volatility_pipeline_train_memory": "ECS",
    "volatility_pipeline_watchdog": "EventBridge Scheduler",
    "volatility_promote_reason": "any text",
    "volatility_release_tag": "control/volatility/release.py",
    "volatility_rollback_reason": "any text",
    "volatility_run_date": "control/volatility/running.py",
    "volatility_run_event": "the step",
    "volatility_run_last": "control/volatility/running.py",
    "volatility_run_reason": "any text",
}


def told(**changed: Any) -> list[str]:
    return values.wrong_values(values.Given(ROLES.values(), {**RIGHT, **changed}, WRITTEN))


def test_right_values_are_let_through():
    assert told() == []


@pytest.mark.parametrize("env", ["local", "dev", "stage", "prod"])
def test_the_inventories_are_right(env):
    files = sorted((ROOT / "inventories" / env / "group_vars/all").glob("*.yml"))
    given = {name: value for file in files for name, value in yaml.safe_load(file.read_text()).items()}
    assert aws_rules.environment(given["training_env"]) == "" and aws_rules.region(given["training_region"]) == ""
    assert told(**{name: value for name, value in given.items() if name in RIGHT}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"training_context_bucket_override": "Team_Forecasts"},
            'training_bucket is "Team_Forecasts": S3 requires 3 to 63',
        ),
        ({"training_context_bucket_override": "10.20.30.40"}, "no IP address; for example team-forecasts"),
        ({"training_context_bucket_override": "xn--a"}, "AWS reserves names that begin with xn--"),
        ({"training_context_bucket_override": "mine-s3alias"}, "AWS reserves names that end with -s3alias"),
        (
            {"training_access_tags": {**TAGS, "CostCenter": "R&D; Ops <x>"}},
            'training_cost_center is "R&D; Ops <x>": a tag',
        ),
        ({"training_access_tags": {**TAGS, "CostCenter": ""}}, "must have 1 to 256 letters"),
        ({"training_access_tags": {**TAGS, "CostCenter": "x" * 257}}, "must have 1 to 256 letters"),
        ({"training_access_tags": {**TAGS, "CostCenter": True}}, "YAML reads it as true, but text is expected"),
        ({"training_access_tags": {**TAGS, "aws:x": "y"}}, "must not begin with aws:"),
        ({"training_access_tags": {**TAGS, "k" * 129: "y"}}, "a tag's name must have 1 to 128"),
        ({"training_access_tags": {**TAGS, "costcenter": "y"}}, "CostCenter and costcenter are the same name to IAM"),
        ({"training_access_tags": TAGS | {f"k{n}": "v" for n in range(45)}}, "49 tags are too many"),
        ({"training_access_tags": {"Project": "P"}}, "training_tags has no CostCenter"),
        ({"training_access_tags": {**TAGS, "Project": "Q"}}, "it must equal training_project, P"),
        ({"training_access_project": "a<b"}, 'training_project is "a<b": a tag'),
        (
            {"training_context_region": "us-esat-1"},
            'training_region is "us-esat-1": it is not an AWS region; for example us-',
        ),
        ({"training_context_region": "Frankfurt"}, "not an AWS region"),
        ({"training_context_env": "Dev"}, 'training_env is "Dev": it must have lower-case letters'),
        ({"training_context_env": "e" * 29}, "schedule names contain it"),
        (
            {"training_network_cidr": "10.0.0.5/16"},
            "a range of this size does not begin there; for example 10.0.0.0/16",
        ),
        ({"training_network_cidr": "10.0.0.0/8"}, "from /16 to /28"),
        ({"training_network_cidr": "ten"}, "it is not an IPv4 address range"),
        ({"training_network_cidr": "127.0.0.0/16"}, "a VPC cannot have these addresses"),
        ({"training_network_subnet_cidrs": ["10.40.0.0/20"]}, "at least two are needed"),
        (
            {"training_network_subnet_cidrs": ["10.40.0.0/20", "10.41.0.0/20"]},
            "must lie in training_network_cidr, 10.40.0.0/16",
        ),
        ({"training_network_subnet_cidrs": ["10.40.0.0/20", "10.40.0.0/24"]}, "it overlaps 10.40.0.0/20"),
        ({"training_network_zones": ["us-east-1a", "eu-west-1a"]}, "a zone of us-east-1 is its name and a letter"),
        ({"training_network_zones": ["us-east-1a", "us-east-1a"]}, "has 1 zones for 2 ranges"),
        (
            {"training_storage_logs_expire_days": 0},
            "training_storage_logs_expire_days is 0: it must be a whole number of days, at least 1",
        ),
        ({"training_storage_runs_standard_ia_days": 7}, "objects to STANDARD_IA after 30 days"),
        ({"training_storage_runs_expire_days": 30}, "not after training_storage_runs_standard_ia_days (30)"),
        (
            {"training_launch_instance_types": ["g4dn"]},
            'training_launch_instance_types is "g4dn": it must be a family',
        ),
        ({"training_launch_volume_gb": 0}, "a gp3 volume has 1 to 65,536 GB"),
        ({"training_launch_price_per_hour": -1}, "at least 0"),
        ({"training_launch_price_per_hour": "free"}, "US dollars per hour"),
        ({"training_launch_image_parameter": "ami-123"}, "the path of an SSM parameter"),
        ({"training_launch_heartbeat_seconds": float("nan")}, "a number above 0; for example 30"),
        ({"volatility_check_commit": "main"}, "it must be a commit's 40 digits"),
        ({"volatility_identity_github_repository": "forecasts"}, "it must be owner/name"),
        ({"volatility_identity_github_repository": "acme@12/forecasts"}, "it must be owner/name"),
        ({"volatility_api_image": "api:latest"}, "it must be REPOSITORY@sha256:DIGEST"),
        ({"volatility_api_model_version": "newest"}, "it must be a model's version"),
        ({"volatility_api_weight": 10}, "it must be above 0 and at most 1"),
        ({"volatility_inputs_api_url_pattern": "example.org"}, "it must be a URL with API and STAGE"),
        ({"volatility_identity_github_branch": "*"}, "it must be the name of one branch"),
        ({"volatility_alarms_emails": ["ada"]}, "it must be an e-mail address"),
        ({"volatility_alarms_budget_dollars": 0}, "it must be a number above 0"),
        ({"volatility_storage_snapshots_expire_days": 0}, "at least 1; for example 400"),
        (
            {"training_cleanup_check_regions": ["moon"]},
            'training_cleanup_check_regions is "moon": it is not an AWS region',
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_rule_and_an_example(changed, said):
    assert any(said in sentence for sentence in told(**changed)), told(**changed)


def test_everything_wrong_is_told_at_once():
    wrong = told(
        training_context_bucket_override="A", training_network_cidr="x", training_storage_logs_expire_days=0,
        training_access_tags={**TAGS, "CostCenter": "<"},
    )  # fmt: skip
    assert len(wrong) == 4


def test_a_number_is_text_where_text_is_meant():
    assert told(training_access_tags={**TAGS, "CostCenter": 4711}) == []
    given = values.Given(ROLES.values(), {}, WRITTEN)
    assert values.no_text(given, {"training_access_project": 4711}) == []
    said = ["training_project is 1.5: YAML reads it as 1.5, but text is expected: put it in quotes."]
    assert values.no_text(given, {"training_access_project": 1.5}) == said


def test_a_region_that_boto3_does_not_know_yet_is_let_through():
    assert aws_rules.region("eu-southwest-9") == ""


def test_every_option_of_every_role_has_a_rule_or_somebody_who_checks_it():
    def is_checked(name: str, option: Any) -> bool:
        kinds = {str(option.get("type")), *(["choices"] if option.get("choices") else [])}
        network = name.startswith(("training_network_", "training_storage_")) and name in RIGHT
        return bool(
            values.rule_of(name) or name in values.EACH or name.endswith("_tags") or kinds & set(ELSEWHERE) or network
        )

    def is_set_by_a_person(name: str) -> bool:
        return any(name in role.given() for role in ROLES.values())

    unchecked = [name for name, option in OPTIONS.items() if is_set_by_a_person(name) and not is_checked(name, option)]
    assert sorted(set(unchecked) - set(ELSEWHERE)) == [
        "instance_user_data_run"
    ]  # made by the launch, never by a person

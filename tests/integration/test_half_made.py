"""What fails half-way says what it had made, counts as changed, and can be given again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.ansible.module import call

from .lock_account import BUCKET, ENV, PROJECT, REGION, ROOT, RUN, LockAccount, load_module

BIN = Path(sys.executable).parent
TAGS = {"Project": PROJECT, "Environment": ENV, "CostCenter": "research", "ManagedBy": "Ansible"}
IDS = {"vpc_id": "vpc-2", "subnet_ids": "subnet-2", "security_group_id": "sg-2"}
REFUSED = "It is not to be had today."


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


def run(module_name: str, /, **params: Any) -> dict[str, Any]:
    module = load_module(module_name)
    spec = {option: about.get("default") for option, about in module.ARGUMENT_SPEC.items()}
    return call(module.run, spec | params, check_mode=False, emit=lambda line: None)


# Module, its parameters, the operation that is refused, what was done before it.
CASES = [
    (
        "training_bucket",
        {"name": "half-made", "region": REGION, "env": ENV, "state": "present", "tags": TAGS},
        "PutBucketTagging",
        ["CreateBucket half-made"],
    ),
    (
        "training_parameters",
        {"env": ENV, "region": REGION, "state": "present", "values": IDS, "tags": TAGS},
        "AddTagsToResource",
        [f"PutParameter /chronos-training/{ENV}/{name}" for name in IDS],
    ),
    (
        "training_guard",
        {"group": "g", "queue": "q", "region": REGION, "state": "present", "account_id": "123456789012", "tags": TAGS},
        "CreateQueue",
        ["CreateScheduleGroup g"],
    ),
]


@pytest.mark.parametrize(("name", "params", "operation", "done"), CASES, ids=[case[0] for case in CASES])
def test_a_module_that_fails_says_what_it_had_done(
    account: LockAccount, name: str, params: dict[str, Any], operation: str, done: list[str]
) -> None:
    account.aws.fault(operation, "InvalidRequest", REFUSED)
    failed = run(name, **params)
    assert failed["failed"] and failed["changed"] and REFUSED.rstrip(".") in failed["msg"]
    assert [change for change in failed["done"] if change in done] == done
    assert operation not in " ".join(failed["done"])
    again = run(name, **params)
    assert again["changed"] and "failed" not in again
    assert run(name, **params)["changed"] is False


def test_a_refusal_of_the_first_change_has_changed_nothing(account: LockAccount) -> None:
    account.aws.fault("CreateBucket", "InvalidRequest", REFUSED)
    failed = run("training_bucket", **CASES[0][1])
    assert (failed["changed"], failed["done"]) == (False, [])


def test_what_ends_half_way_says_what_it_ended(account: LockAccount) -> None:
    account.volume(account.tags(RUN))
    account.volume(account.tags(RUN))
    account.aws.fault("DeleteVolume", "InvalidRequest", REFUSED)
    failed = run("training_cleanup", state="fixed", env=ENV, project=PROJECT, wait_seconds=0.0)
    # It goes on after the refusal, and fails for what is left.
    assert failed["failed"] and failed["changed"] and sum("DeleteVolume" in change for change in failed["done"]) == 1


def test_a_publication_that_breaks_off_says_what_it_had_stored(account: LockAccount, tmp_path: Path) -> None:
    lines = [f"a,2024-01-{day:02d},{day}" for day in range(1, 29)]
    (tmp_path / "panel.csv").write_text("\n".join(["item_id,timestamp,target", *lines]) + "\n")
    manifest = {"Bucket": BUCKET, "Key": "cached-datasets/sales/manifest.json"}
    account.aws.fault("PutObject", "InvalidRequest", REFUSED, **manifest)
    params = {"env": ENV, "region": REGION, "name": "sales", "source": str(tmp_path / "panel.csv")}
    failed = run("training_dataset", **params)
    assert failed["failed"] and failed["changed"], failed
    assert any(change.startswith(f"PutObject {BUCKET}/cached-datasets/sales/") for change in failed["done"])
    assert "audit" not in json.dumps(failed["done"])
    assert run("training_dataset", **params)["changed"] is True


PLAY = """
- name: Half of it
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Test | Make the bucket
      training_bucket: {name: half-made, region: us-east-1, env: local, state: present, tags: {Project: x}}
"""
STOCK = """
- name: Half of a stock module's
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Test | Make the role
      amazon.aws.iam_role: {name: half-made, assume_role_policy_document: "{{ trust }}", managed_policies: [none]}
      vars:
        trust: {Version: "2012-10-17", Statement: []}
"""


@pytest.mark.parametrize(
    ("play", "operation", "done"),
    [(PLAY, "PutBucketTagging", "CreateBucket half-made"), (STOCK, "AttachRolePolicy", "CreateRole half-made")],
    ids=["ours", "of the collection"],
)
def test_the_summary_counts_it(account: LockAccount, tmp_path: Path, play: str, operation: str, done: str) -> None:
    (tmp_path / "play.yml").write_text(play.replace("[none]", "['arn:aws:iam::aws:policy/ReadOnlyAccess']"))
    account.aws.fault(operation, "InvalidInput", REFUSED, times=None)
    environment = {**os.environ, **account.aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    ended = subprocess.run(
        [BIN / "ansible-playbook", tmp_path / "play.yml"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert f"Done before that: {done}" in ended.stdout and "The same command can be repeated." in ended.stdout
    assert "changed=1 failed=1" in ended.stdout, ended.stdout

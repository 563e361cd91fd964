"""Somebody whose only policy is the monitor's, at the playbooks: watching works, everything else is refused and does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.core.run_spec import InstanceSpec, RuntimeSpec
from chronos_training.core.states import RUNNING
from tests.policies import Deployment, people_policy
from tests.run_specs import run_spec

from .lock_account import BUCKET, ENV, OLD_RUN, REGION, ROOT, RUN, LockAccount

BIN = Path(sys.executable).parent
# What an account holds that a command could change; the embedded AWS answers with the keys of its root.
LISTINGS = (
    ("ec2", "describe_instances"), ("ec2", "describe_volumes"), ("ec2", "describe_vpcs"), ("iam", "list_roles"),
    ("iam", "list_policies"), ("sqs", "list_queues"), ("scheduler", "list_schedules"), ("s3", "list_buckets"),
)  # fmt: skip


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    """A run that trains, and an earlier one that completed with a model and a log."""
    account = LockAccount(aws, monkeypatch)
    instance = account.instance(account.tags(RUN))
    steps = {"training": {"started_at": "2026-01-02T03:04:05Z"}}
    account.hold(status=RUNNING, instance_id=instance, current_step="training", steps=steps)
    environment = {"key": "runtime/python-env/e/env.tar.zst", "sha256": "e" * 64, "size": 1}
    spec = run_spec(runtime=RuntimeSpec(environment), instance=InstanceSpec(price_per_hour_usd=1.0))
    for run_id in (RUN, OLD_RUN):
        account.put_json(run_id, "run_spec.json", spec.body())
    state = {"status": "completed", "created_at": "2026-01-01T01:00:00Z", "heartbeat_at": "2026-01-01T01:10:00Z"}
    account.put_json(OLD_RUN, "system-state.json", json.dumps({**state, "run_id": OLD_RUN}).encode())
    account.put_json(OLD_RUN, "models/mine/config.json", b"{}")
    policy = people_policy("monitor", Deployment(BUCKET, ENV, region=REGION))
    account.keys = aws.new_user("watcher", monitor=policy)  # type: ignore[attr-defined]
    return account


def play(account: LockAccount, playbook: str, **variables: Any) -> tuple[int, str]:
    """Run a playbook as the person who only watches; return its exit code and what it printed."""
    keys = account.keys  # type: ignore[attr-defined]
    env = {**os.environ, **account.aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    for prefix in ("AWS_", "LOCAL_AWS_"):
        env |= {f"{prefix}ACCESS_KEY_ID": keys["AccessKeyId"], f"{prefix}SECRET_ACCESS_KEY": keys["SecretAccessKey"]}
    env["PATH"] = f"{BIN}:{os.environ['PATH']}"
    words = [str(BIN / "ansible-playbook"), f"playbooks/{playbook}.yml", "-e", json.dumps(variables)]
    done = subprocess.run(
        words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def holdings(account: LockAccount) -> Any:
    """Everything in the account that the listings show, and every object with its version."""
    seen = []
    for service, listing in LISTINGS:
        answer = getattr(account.aws.client(service), listing)()
        answer.pop("ResponseMetadata")
        seen.append(answer)
    pages = account.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return seen, [(one["Key"], one["ETag"]) for page in pages for one in page.get("Contents", [])]


@pytest.mark.parametrize(
    ("playbook", "variables", "shows"),
    [
        ("monitor_training", {"training_monitor_follow": "none"}, f"{RUN}  3/5 training for"),
        ("monitor_training", {"training_monitor_run_id": OLD_RUN}, f"run {OLD_RUN}: completed"),
        ("list_runs", {}, f"{OLD_RUN}  completed"),
        ("list_runs", {"training_runs_compare": f"{OLD_RUN},{RUN}"}, "the runs were launched with the same settings"),
        ("verify_cleanup", {}, f"clean: run {RUN} is active"),
    ],
)
def test_watching_works(account: LockAccount, playbook: str, variables: dict[str, Any], shows: str) -> None:
    before = holdings(account)
    code, output = play(account, playbook, **variables)
    assert code == 0, output
    assert shows in output
    assert holdings(account) == before


@pytest.mark.parametrize(
    ("playbook", "variables"),
    [
        ("monitor_training", {"training_monitor_follow": "logs"}),
        ("launch_training", {}),
        ("launch_training", {"training_launch_repeat_run": OLD_RUN}),
        ("kill_training", {}),
        ("kill_training", {"training_kill_force": True}),
        ("fetch_run", {"training_results_run_id": OLD_RUN}),
        ("verify_cleanup", {"training_cleanup_check_fix": True, "training_cleanup_check_wait_seconds": 0}),
        ("provision_infrastructure", {}),
        ("teardown_infrastructure", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value) or "-",
)
def test_everything_else_is_refused_and_changes_nothing(
    account: LockAccount, playbook: str, variables: dict[str, Any], tmp_path: Path
) -> None:
    account.s3.put_object(Bucket=BUCKET, Key=f"{ENV}/logs/{RUN}/training.log", Body=b"line\n")
    account.volume()  # left over, for verify to end
    before = holdings(account)
    extra = {"training_results_folder": str(tmp_path / "results")} if playbook == "fetch_run" else {}
    code, output = play(account, playbook, **variables, **extra)
    assert code != 0, output
    assert any(words in output for words in ("may not", "not authorized", "AWS denied", "No permission")), output
    assert "Traceback" not in output
    assert holdings(account) == before
    assert not any(path.name in {"config.json", "training.log"} for path in tmp_path.rglob("*"))

"""The playbook show_lock: what it says of the lock, that it breaks a dead run's and no other, and which policy is enough for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.lifecycle.show_lock import lock_status
from chronos_training.core.states import RUNNING
from tests.policies import Deployment, people_policy

from .lock_account import BUCKET, ENV, OLD_RUN, PROJECT, REGION, ROOT, RUN, LockAccount

BIN = Path(sys.executable).parent
URL = f"s3://{BUCKET}/{ENV}/system-state.json"
BREAK = {"training_lock_break": True}


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


def play(account: LockAccount, kind: str, *flags: str, **variables: Any) -> tuple[int, str]:
    """Run the playbook as somebody who has the policy `kind` alone; return its exit code and what it printed."""
    policy = people_policy(kind, Deployment(BUCKET, ENV, region=REGION))
    account.users = getattr(account, "users", 0) + 1  # type: ignore[attr-defined]
    keys = account.aws.new_user(f"{kind}{account.users}", policy=policy)  # type: ignore[attr-defined]
    env = {**os.environ, **account.aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    for prefix in ("AWS_", "LOCAL_AWS_"):
        env |= {f"{prefix}ACCESS_KEY_ID": keys["AccessKeyId"], f"{prefix}SECRET_ACCESS_KEY": keys["SecretAccessKey"]}
    env["PATH"] = f"{BIN}:{os.environ['PATH']}"
    words = [str(BIN / "ansible-playbook"), "playbooks/show_lock.yml", *flags, "-e", json.dumps(variables)]
    done = subprocess.run(
        words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout
    return done.returncode, " ".join(done.stdout.split())


def at_work(account: LockAccount) -> str:
    """A run that trains on an instance; return the instance's id."""
    instance = account.instance(account.tags(RUN))
    account.aws.wait_for_state(instance, "running")
    steps = {"training": {"started_at": "2026-01-02T03:04:05Z"}}
    account.hold(RUN, status=RUNNING, instance_id=instance, claimed_at="2026-01-02T03:04:05Z", current_step="training",
               steps=steps)  # fmt: skip
    return instance


def test_a_free_lock_is_called_free_and_there_is_nothing_to_break(account: LockAccount) -> None:
    for variables in ({}, BREAK):
        code, said = play(account, "operator", **variables)
        assert (code, f"{URL} is free: no run holds it" in said, "changed=0" in said) == (0, True, True), said


def test_the_lock_of_a_run_at_work_is_shown_and_not_broken(account: LockAccount) -> None:
    instance = at_work(account)
    code, said = play(account, "monitor")
    assert code == 0, said
    for part in (f"{URL} is held by run {RUN} (running), which may be at work", "owner ann@laptop (pid 42), since 20",
                 "step training for", "last heartbeat", f"instance {instance} is running", "make kill"):  # fmt: skip
        assert part in said, said
    for flags in ((), ("--check",)):
        code, said = play(account, "operator", *flags, **BREAK)
        assert code == 2, said
        assert f"Run {RUN} is active in {ENV}" in said and f"instance {instance} is running" in said
        assert "Nothing was changed." in said and "(to end it instead: make kill)" in said
    observed = account.store.read()
    assert observed is not None and observed.record.status == RUNNING and account.aws.state(instance) == "running"


def test_the_lock_of_a_dead_run_is_shown_as_such_and_broken_when_asked(account: LockAccount) -> None:
    instance = at_work(account)
    account.terminate(instance)
    dead = f"{URL} is held by run {RUN} (running), which is dead: its instance {instance} is terminated"
    code, said = play(account, "monitor")
    assert code == 0 and dead in said and "changed=0" in said, said
    assert "Release it: make show-lock ARGS='-e training_lock_break=true'" in said
    code, said = play(account, "operator", "--check", **BREAK)
    assert code == 0 and dead in said and f"would release {URL}" in said, said
    code, said = play(account, "operator", **BREAK, training_lock_run_id=OLD_RUN)
    assert code == 2 and f"held by run {RUN}, not by run {OLD_RUN}. Nothing was changed" in said, said
    # Whoever only watches may look, and not break.
    code, said = play(account, "monitor", **BREAK)
    assert code == 2 and "may not" in said, said
    assert account.store.read() is not None
    code, said = play(account, "operator", **BREAK)
    assert code == 0 and dead in said and f"run {RUN} archived as lost; lock {URL} released" in said, said
    assert account.store.read() is None
    assert json.loads(account.read(RUN, "system-state.json"))["status"] == "lost"


def test_an_ec2_that_does_not_answer_proves_nothing(account: LockAccount) -> None:
    instance = at_work(account)
    account.terminate(instance)
    observed = account.store.read()
    assert observed is not None
    account.aws.fault("DescribeInstances", "UnauthorizedOperation", "not you", status=403, times=None)
    status = lock_status(observed, account.ec2, PROJECT)
    assert (status.instance_state, status.reason) == ("unseen", None)
    assert "says nothing about the run" in status.next_step

"""Runs where EC2 takes seven minutes to end an instance, as it does those with a GPU: what only goes keeps nobody waiting.

The minutes pass when the test says so: EC2's clock is moved.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chronos_training.control.orphans.snapshot import Scope
from chronos_training.control.orphans.verify import Verdict, table, verify
from chronos_training.core import aws
from local_aws.testing import wait_for
from tests.protocol import whole_run
from tests.protocol.crash_account import BUCKET, ENV, PROJECT, REGION, CrashAccount

SLOW = 420.0
SECONDS = 120.0  # that anything may take on a busy machine


class Slow(CrashAccount):
    """An account of slow ends."""

    ahead = 0.0

    def inject_faults(self, **more: Any) -> None:
        self.aws.inject(end_seconds=SLOW, clock_ahead=self.ahead, **more)

    def let_it_end(self) -> None:
        """Let the minutes pass that EC2 needs for what it is ending now."""
        self.ahead += SLOW + 1
        self.inject_faults()
        wait_for(lambda: "shutting-down" not in self.states().values(), "the end of what was going", SECONDS)

    def states(self) -> dict[str, str]:
        """Return the state of every instance that is not terminated."""
        return {identity: self.aws.state(identity) for identity in self.see().instances}

    def asked(self, operation: str) -> int:
        """Return how often EC2 was asked for `operation` since the count began anew."""
        return sum(r["count"] for r in self.aws.requests() if r["operation"] == f"ec2.{operation}")

    def while_it_waits(self, command: Callable[[], Any], seen: Callable[[], Any], what: str) -> Any:
        """Do `command`, which waits for an end; let the minutes pass once `seen` shows that it does."""
        result: list[Any] = []
        thread = threading.Thread(target=lambda: result.append(command()))
        thread.start()
        try:
            wait_for(seen, what, SECONDS)
            assert thread.is_alive(), result
        finally:
            self.let_it_end()
            thread.join()
        return result[0]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    account = Slow(tmp_path_factory.mktemp("slow") / "home")
    account.inject_faults()
    yield account
    account.close()


@pytest.fixture(autouse=True)
def nothing_left(account, monkeypatch):
    for name, value in account.aws.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_session", None)
    yield
    account.aws.inject()
    assert account.kill().exit == 0
    wait_for(lambda: account.remains() == [], "the end of everything", SECONDS)
    account.inject_faults()


def look() -> Verdict:
    """Verify as a person does; nothing here may take the quarter of an hour that it would wait."""
    return verify(Scope(ENV, PROJECT, REGION, (REGION,), BUCKET), 900, print)


def going(account: CrashAccount) -> bool:
    seen = account.see()
    return seen.state is None and set(account.states().values()) == {"shutting-down"}


def test_the_whole_cycle(account):
    published = whole_run.publish(account)
    assert whole_run.launch(account, published).exit == 0
    first, run_id = account.leader(), account.last_run
    wait_for(lambda: going(account), "the run's own end", SECONDS)
    assert account.archived(run_id)["status"] == "completed" and account.see().schedules == 0

    verdict = look()
    assert verdict.clean and "clean: nothing is running" in table(verdict)[-1]
    assert (
        f"terminating: instance {first} (shutting-down, run {run_id}): EC2 has accepted its termination"
        in "\n".join(table(verdict))
    )
    assert {f.resource.kind for f in verdict.going} == {"instance", "volume", "network interface"}

    again = account.launch()
    assert (
        again.exit == 0
        and f"terminating: {first} (shutting-down, run {run_id}); this run starts alongside it" in again.said
    )
    second = again.result["instance_id"]
    assert account.boot() == ["claims"]
    assert look().active.record.run_id == account.last_run

    # Its guard is gone as soon as EC2 has accepted the end; its lock stays until it is proven.
    def accepted() -> bool:
        seen = account.see()
        return seen.schedules == 0 and seen.state is not None and account.states().get(second) == "shutting-down"

    killed = account.while_it_waits(account.kill, accepted, "the guard to be taken away")
    assert killed.exit == 0 and killed.result["status"] == "killed", killed
    assert killed.result["instances"] == [second]  # the first had ended before
    verdict = look()
    assert verdict.clean and not verdict.going


def test_the_leader_of_several_waits_for_no_member(account):
    assert account.launch(instances=2).exit == 0
    assert sorted(account.boot()) == ["claims", "joins"]
    (member,) = set(account.see().instances) - {account.leader()}
    assert account.run("end", on=account.leader(), status="completed").exit == 0
    seen = account.see()
    assert (seen.state, seen.schedules, account.states()[member]) == (None, 0, "shutting-down")
    wait_for(lambda: going(account), "the head node's power-off", SECONDS)
    assert look().clean


def test_a_launch_waits_for_the_proof_that_a_run_is_dead(account):
    assert account.launch().exit == 0
    run_id, instance_id = account.last_run, account.leader()
    assert account.boot() == ["claims"]
    account.ec2.terminate_instances(InstanceIds=[instance_id])  # a person in the console, or the guard
    wait_for(lambda: account.states()[instance_id] == "shutting-down", "its acceptance", SECONDS)
    account.aws.forget_requests()

    launched = account.while_it_waits(
        account.launch, lambda: account.asked("DescribeInstances") > 10, "a launch that waits"
    )
    assert launched.exit == 0, launched
    assert any(
        f"waiting for EC2 to end {instance_id} of run {run_id}, to take its lock, for" in x for x in launched.said
    )
    assert any(f"Run {run_id} was dead (its instance {instance_id} is terminated)" in line for line in launched.said)


def test_a_launch_waits_for_its_place_in_the_quota(account):
    assert account.launch().exit == 0
    first = account.leader()
    assert account.boot() == ["claims"]
    assert account.run("end", on=first, status="completed").exit == 0
    wait_for(lambda: going(account), "the power-off", SECONDS)
    account.inject_faults(quotas={"L-1216C47A": 2})  # of the standard families; an m5.large has two vCPUs

    account.aws.forget_requests()

    def looked() -> bool:
        return account.asked("RunInstances") == 1 and account.asked("DescribeInstances") > 1

    launched = account.while_it_waits(account.launch, looked, "a launch that was refused")
    assert launched.exit == 0, launched
    assert (
        "attempt 1: m5.large in us-east-1a: the account's quota does not allow it (VcpuLimitExceeded)" in launched.said
    )
    said = next(line for line in launched.said if line.endswith("waiting for that"))
    assert f"{first} (m5.large, shutting-down, run" in said
    assert "still counts against this quota until terminated" in said
    assert account.see().state["attempt"] == 2

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
from tests.protocol.crash_world import BUCKET, ENV, PROJECT, REGION, World

SLOW = 420.0
SECONDS = 120.0  # that anything may take on a busy machine


class Slow(World):
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
def world(tmp_path_factory):
    account = Slow(tmp_path_factory.mktemp("slow") / "home")
    account.inject_faults()
    yield account
    account.close()


@pytest.fixture(autouse=True)
def nothing_left(world, monkeypatch):
    for name, value in world.aws.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "_session", None)
    yield
    world.aws.inject()
    assert world.kill().exit == 0
    wait_for(lambda: world.remains() == [], "the end of everything", SECONDS)
    world.inject_faults()


def look() -> Verdict:
    """Verify as a person does; nothing here may take the quarter of an hour that it would wait."""
    return verify(Scope(ENV, PROJECT, REGION, (REGION,), BUCKET), 900, print)


def going(world: World) -> bool:
    seen = world.see()
    return seen.state is None and set(world.states().values()) == {"shutting-down"}


def test_the_whole_cycle(world):
    published = whole_run.publish(world)
    assert whole_run.launch(world, published).exit == 0
    first, run_id = world.leader(), world.last_run
    wait_for(lambda: going(world), "the run's own end", SECONDS)
    assert world.archived(run_id)["status"] == "completed" and world.see().schedules == 0

    verdict = look()
    assert verdict.clean and "clean: nothing is running" in table(verdict)[-1]
    assert (
        f"terminating: instance {first} (shutting-down, run {run_id}): EC2 has accepted its termination"
        in "\n".join(table(verdict))
    )
    assert {f.resource.kind for f in verdict.going} == {"instance", "volume", "network interface"}

    again = world.launch()
    assert (
        again.exit == 0
        and f"terminating: {first} (shutting-down, run {run_id}); this run starts alongside it" in again.said
    )
    second = again.result["instance_id"]
    assert world.boot() == ["claims"]
    assert look().active.record.run_id == world.last_run

    # Its guard is gone as soon as EC2 has accepted the end; its lock stays until it is proven.
    def accepted() -> bool:
        seen = world.see()
        return seen.schedules == 0 and seen.state is not None and world.states().get(second) == "shutting-down"

    killed = world.while_it_waits(world.kill, accepted, "the guard to be taken away")
    assert killed.exit == 0 and killed.result["status"] == "killed", killed
    assert killed.result["instances"] == [second]  # the first had ended before
    verdict = look()
    assert verdict.clean and not verdict.going


def test_the_leader_of_several_waits_for_no_member(world):
    assert world.launch(instances=2).exit == 0
    assert sorted(world.boot()) == ["claims", "joins"]
    (member,) = set(world.see().instances) - {world.leader()}
    assert world.run("end", on=world.leader(), status="completed").exit == 0
    seen = world.see()
    assert (seen.state, seen.schedules, world.states()[member]) == (None, 0, "shutting-down")
    wait_for(lambda: going(world), "the head node's power-off", SECONDS)
    assert look().clean


def test_a_launch_waits_for_the_proof_that_a_run_is_dead(world):
    assert world.launch().exit == 0
    run_id, instance_id = world.last_run, world.leader()
    assert world.boot() == ["claims"]
    world.ec2.terminate_instances(InstanceIds=[instance_id])  # a person in the console, or the guard
    wait_for(lambda: world.states()[instance_id] == "shutting-down", "its acceptance", SECONDS)
    world.aws.forget_requests()

    launched = world.while_it_waits(world.launch, lambda: world.asked("DescribeInstances") > 10, "a launch that waits")
    assert launched.exit == 0, launched
    assert any(
        f"waiting for EC2 to end {instance_id} of run {run_id}, to take its lock, for" in x for x in launched.said
    )
    assert any(f"Run {run_id} was dead (its instance {instance_id} is terminated)" in line for line in launched.said)


def test_a_launch_waits_for_its_place_in_the_quota(world):
    assert world.launch().exit == 0
    first = world.leader()
    assert world.boot() == ["claims"]
    assert world.run("end", on=first, status="completed").exit == 0
    wait_for(lambda: going(world), "the power-off", SECONDS)
    world.inject_faults(quotas={"L-1216C47A": 2})  # of the standard families; an m5.large has two vCPUs

    world.aws.forget_requests()

    def looked() -> bool:
        return world.asked("RunInstances") == 1 and world.asked("DescribeInstances") > 1

    launched = world.while_it_waits(world.launch, looked, "a launch that was refused")
    assert launched.exit == 0, launched
    assert (
        "attempt 1: m5.large in us-east-1a: the account's quota does not allow it (VcpuLimitExceeded)" in launched.said
    )
    said = next(line for line in launched.said if line.endswith("waiting for that"))
    assert f"{first} (m5.large, shutting-down, run" in said
    assert "still counts against this quota until terminated" in said
    assert world.see().state["attempt"] == 2

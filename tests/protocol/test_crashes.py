"""A crash at every boundary: before, in and after each AWS call of every command that makes, changes or ends a run."""

from __future__ import annotations

import os
import signal
import time

import pytest

from local_aws.testing import wait_for
from tests.protocol import crash_table
from tests.protocol.crash_account import PATIENCE, CrashAccount
from tests.protocol.crash_cases import SCENARIOS, Row, cases, count_calls, run_case
from tests.protocol.summary import say

# The calls around the birth of an instance: where money leaks elsewhere. (Quick selection.)
BIRTH = ("RunInstances",)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    account = CrashAccount(tmp_path_factory.mktemp("crashes") / "home")
    yield account
    account.close()


@pytest.fixture(scope="module")
def counted(account):
    """Return the boundaries of every command as it is now, counted in a run that nothing interrupts."""
    return {name: count_calls(account, scenario) for name, scenario in SCENARIOS.items()}


@pytest.fixture(scope="module")
def rows():
    """Collect the rows of the commands that were played without a violation, for the table."""
    collected: list[Row] = []
    yield collected
    if os.environ.get(crash_table.WRITE):
        crash_table.write(collected)


def rows_of(account: CrashAccount, name: str, counted, only=lambda boundary: True) -> list[Row]:
    scenario, began = SCENARIOS[name], time.monotonic()
    found = []
    for boundary, follower in cases(scenario, counted[name]):
        if only(boundary):
            try:
                found.append(run_case(account, scenario, boundary, follower))
            except AssertionError as wrong:
                found.append(Row(boundary, "", "", (str(wrong),)))
                account.kill()
    violations = [f"{row.boundary}: {', '.join(row.violations)} ({row})" for row in found if row.violations]
    for violation in violations:
        say(f"crashes: VIOLATION: {violation}")
    calls = len({row.boundary.call for row in found})
    took = time.monotonic() - began
    say(f"crashes: {name}: {len(found)} kills around {calls} AWS calls, {took:.0f} s, {len(violations)} violations")
    assert violations == []
    return found


@pytest.mark.skipif(crash_table.WRITE in os.environ, reason="the table is being written")
def test_the_table_has_a_row_for_every_boundary(counted):
    present = {crash_table.key(boundary) for found in counted.values() for boundary in found}
    assert crash_table.committed_keys() == present, "rewrite it: python -m tests.protocol.crash_table"


def test_crashes_around_the_birth_of_an_instance(account, counted):
    assert rows_of(account, "launch", counted, lambda boundary: boundary.call.endswith(BIRTH))


@pytest.mark.protocol
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_every_boundary(account, counted, rows, name):
    rows += rows_of(account, name, counted)


def paused_before_run_instances(account: CrashAccount, counted):
    """Return a launch that stands still with its RunInstances not yet sent."""
    boundary = next(b for b in counted["launch"] if b.call.endswith("RunInstances") and b.moment == "before")
    paused = account.launch(number=boundary.number, moment="before", signal=signal.SIGSTOP)
    assert paused.stopped
    return paused


def test_a_launcher_that_slept_through_a_kill_ends_what_it_starts(account, counted):
    paused = paused_before_run_instances(account, counted)
    assert account.kill().result["status"] == "killed"
    late = account.resume(paused)
    assert late.exit == 1
    wait_for(lambda: not account.remains(), "the end of the late instance", PATIENCE)


def test_an_instance_that_a_dead_launcher_started_late_is_fenced_and_ends_itself(account, counted):
    boundary = next(b for b in counted["launch"] if b.call.endswith("RunInstances") and b.moment == "after")
    paused = account.launch(number=boundary.number, moment="after", signal=signal.SIGSTOP)
    # Its lock is taken away while EC2 does not list the instance: here, as if by a store that lost it.
    account.s3.delete_object(Bucket="chronos-training-local-crashes", Key="local/system-state.json")
    os.kill(paused.pid, signal.SIGKILL)
    account.resume(paused)
    assert account.boot() == ["is fenced and powers off"]
    wait_for(lambda: not account.remains(), "the end of the late instance", PATIENCE)


def test_ctrl_c_while_ec2_is_asked_leaves_nothing(account, counted):
    boundary = next(b for b in counted["launch"] if b.call.endswith("RunInstances") and b.moment == "after")
    with pytest.raises(AssertionError, match="KeyboardInterrupt"):
        account.launch(number=boundary.number, moment="after", signal=signal.SIGINT)
    wait_for(lambda: not account.remains(), "the end of the instance", PATIENCE)
    assert account.is_final(account.last_run)


def test_ctrl_c_before_ec2_was_asked_keeps_the_lock_until_it_is_certain(account, counted):
    boundary = next(b for b in counted["launch"] if b.call.endswith("RunInstances") and b.moment == "before")
    with pytest.raises(AssertionError, match="KeyboardInterrupt"):
        account.launch(number=boundary.number, moment="before", signal=signal.SIGINT)
    state = account.see().state
    assert state is not None and state["status"] == "stopping"
    assert account.kill().result["status"] == "killed"
    assert account.remains() == []

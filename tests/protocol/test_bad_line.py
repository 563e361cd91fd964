"""Whole runs over a bad line: each completes or fails cleanly, and nothing is left."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from local_aws.home import MACHINE_ENDPOINT_VARIABLE
from local_aws.testing import wait_for
from tests.protocol import whole_run
from tests.protocol.crash_account import CrashAccount
from tests.protocol.fault_proxy import KINDS, FaultProxy
from tests.protocol.summary import say

# seed, share of the requests that meet a fault, which faults
QUICK = [(1, 0.15, KINDS)]
MIXES = [KINDS, ("drop",), ("lose", "reset"), ("half",), ("503",), ("slow", "hang")]
RATES = (0.05, 0.15, 0.3)
ALL = [
    # A request that hangs costs six seconds: fewer of them, for the sake of the clock.
    (seed, RATES[seed // len(MIXES) % 3] / (3 if "hang" in mix and len(mix) == 2 else 1), mix)
    for seed, mix in ((seed, MIXES[seed % len(MIXES)]) for seed in range(2, 32))
]
DEADLINE = 45.0
LAUNCHES = 5


@pytest.fixture(scope="module")
def line():
    proxy = FaultProxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def account(tmp_path_factory, line):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MACHINE_ENDPOINT_VARIABLE, line.endpoint)
        account = CrashAccount(tmp_path_factory.mktemp("line") / "home")
    line.upstream = account.aws.endpoint.removeprefix("http://")
    yield account
    account.close()


@pytest.fixture(scope="module")
def published(account):
    return whole_run.publish(account)


def run(account: CrashAccount, line: FaultProxy, published, seed: int, rate: float, kinds: tuple[str, ...]) -> str:
    """Do one run and return how it ended. Everything must be gone after the next command at the latest."""
    began = time.monotonic()
    line.begin(seed, rate, kinds)
    for _ in range(LAUNCHES):  # a person whose launch failed repeats it, as the message says
        launched = whole_run.launch(account, published, endpoint=line.endpoint, deadline=DEADLINE)
        assert launched.exit in {0, 1}, launched
        if launched.exit == 0:
            break
    run_id = account.last_run
    if launched.exit == 0:
        ended = whole_run.wait_for_end(account, DEADLINE + 60)
        assert ended, f"seed {seed}: the instance lives on after its deadline: {account.see()}"
    met, requests = dict(line.met), line.requests
    line.quiet()
    by_itself = not account.remains()
    if not by_itself:
        assert account.kill().exit == 0
        wait_for(lambda: not account.remains(), f"seed {seed}: the end of everything, but {account.remains()}")
    archived = account.archived(run_id)
    outcome = archived["status"] if archived else "refused"
    assert (outcome == "completed") <= account.has(run_id, "_SUCCESS"), f"seed {seed}: completed without _SUCCESS"
    if launched.exit == 0:
        assert archived is not None, f"seed {seed}: run {run_id} has no archive"
    why = (archived or {}).get("error_message") or launched.error
    say(
        f"bad line: seed {seed}, {rate:.0%} of {requests} requests, {met}: {outcome}"
        f"{'' if by_itself else ', settled by kill'}, {time.monotonic() - began:.0f} s{f' ({why[:110]})' if why else ''}"
    )
    return outcome


@pytest.mark.parametrize(("seed", "rate", "kinds"), QUICK)
def test_a_run_over_a_bad_line(account, line, published, seed, rate, kinds):
    assert run(account, line, published, seed, rate, kinds) in {"completed", "failed", "refused"}


@pytest.mark.protocol
@pytest.mark.timeout(1500)
def test_many_runs_over_many_bad_lines(account, line, published):
    outcomes = Counter(run(account, line, published, *mix) for mix in ALL)
    say(f"bad line: {len(ALL)} runs: {dict(outcomes)}; nothing was left after any of them")
    assert outcomes["completed"] > len(ALL) // 2

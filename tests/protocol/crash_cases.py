"""One case for each boundary of each command: prepare, crash, look, let the next command come, look again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local_aws.testing import wait_for
from tests.protocol.crash_account import PATIENCE, CrashAccount, Done
from tests.protocol.crash_process import MOMENTS

NEXT = ("launch", "kill", "verify")
# A call that only reads leaves nothing behind: whether its answer was on the way when the process died is all the same.
READS = ("Get", "Describe", "List", "Head")


@dataclass(frozen=True)
class Boundary:
    """Before, in or after one AWS call of a command. `number` counts the calls from 0."""

    command: str
    number: int
    call: str
    moment: str


@dataclass(frozen=True)
class Row:
    """One case as the table shows it."""

    boundary: Boundary
    found: str
    settled: str
    violations: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """One command under test: `prepare` brings the account to where it starts, `act` runs it up to a boundary.

    `follower` gives for the call and the moment (as numbers) what comes after the crash, in turn. `end_seconds` is how long
    EC2 takes to end an instance: where a command waits for that, it must look more than once, however busy this computer is.
    """

    name: str
    prepare: Callable[[CrashAccount], None]
    act: Callable[..., Done]
    follower: Callable[[int, int], str]
    end_seconds: float = 0.0


def boundaries(name: str, calls: list[str]) -> list[Boundary]:
    """Return the boundaries of a command that made `calls` when nothing interrupted it."""
    found: list[Boundary] = []
    for number, call in enumerate(calls):
        reads = call.split(".")[1].startswith(READS)
        moments = [moment for moment in MOMENTS if not (reads and moment == "sent")]
        found += [Boundary(name, number, f"{number + 1}. {call}", moment) for moment in moments]
    return found


def cases(scenario: Scenario, found: list[Boundary]) -> Iterator[tuple[Boundary, str]]:
    """Return each boundary with what comes after it."""
    for boundary in found:
        yield boundary, scenario.follower(boundary.number, MOMENTS.index(boundary.moment))


def run_case(account: CrashAccount, scenario: Scenario, boundary: Boundary, follower: str) -> Row:
    """Crash once and see what the next command makes of it. Leaves the account empty."""
    account.aws.inject(end_seconds=scenario.end_seconds)
    scenario.prepare(account)
    done = scenario.act(account, number=boundary.number, moment=boundary.moment)
    assert done.signal == 9, f"not killed at {boundary}: {done}"
    time.sleep(0.1 if boundary.moment == "sent" else 0)  # the request that nobody waits for arrives
    seen = account.see()
    runs = {seen.state["run_id"]} if seen.state else set()
    claims = account.boot()
    wrong = account.violations()
    settled = [f"its instance {claim}" for claim in sorted(claims)]
    settled.append(FOLLOWERS[follower](account))
    account.boot()
    wrong += account.violations()
    _end(account, settled)
    wrong += account.remains()
    wrong += [f"run {run} has no archived end" for run in runs if not account.is_final(run)]
    wrong += [f"run {run}: _SUCCESS and status disagree" for run in runs if not _agree(account, run)]
    return Row(boundary, seen.words(), "; ".join(s for s in settled if s), tuple(wrong))


def _agree(account: CrashAccount, run_id: str) -> bool:
    archived = account.archived(run_id)
    if archived is None:
        return True
    success = account.has(run_id, "_SUCCESS")
    # Somebody may ask a run to stop between its _SUCCESS and its end: then it is killed, and its results are whole.
    return success == (archived["status"] == "completed") or (success and archived["kill_requested_at"] is not None)


def _end(account: CrashAccount, settled: list[str]) -> None:
    """The last command, whatever the one before left: a kill."""
    seen = account.see()
    if seen.state is None and not seen.instances and not seen.schedules:
        return
    settled.append(f"then {_kill(account)}")
    wait_for(lambda: not account.remains(), "the end of everything", PATIENCE)


def _launch(account: CrashAccount) -> str:
    """Launch until it goes through, or until it is refused because the run before is alive."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = account.launch()
        if done.exit == 0:
            return f"launch: {_dead(done)}its own run starts"
        seen = account.see()
        if seen.state is not None and seen.state["claimed_at"] and seen.instances:
            return "launch: refused, the run is alive"
        if seen.state is None and seen.instances:
            return "launch: refused, names the stray instance and kill"
        if time.monotonic() > deadline:
            raise AssertionError(f"launch is refused for {PATIENCE} s: {done.error}")
        time.sleep(0.3)


def _dead(done: Done) -> str:
    for line in done.said:
        match = re.search(r"was dead \((.*)\); its state was archived as (\w+)", line)
        if match:
            why = re.sub(r"i-[0-9a-f]+ ", "", match[1]).split(", and it sent")[0]
            return f"run before archived as {match[2]} ({why}), "
    return ""


def _kill(account: CrashAccount) -> str:
    done = account.kill()
    assert done.exit == 0, done
    parts = ["terminates the instance"] if done.result["instances"] else []
    parts += [f"archives the run as {done.result['status']}"] if done.result["status"] else []
    return f"kill: {', '.join(parts) or 'nothing to do'}"


def _verify(account: CrashAccount) -> str:
    done = account.verify()
    assert done.exit == 0, done
    kinds = sorted({" ".join(name.split()[:-1]) for name in done.result["ended"]})
    if kinds:
        return f"verify: ends {', '.join(kinds)}"
    return "verify: sees the active run" if done.result["active"] else "verify: clean"


def _watch(account: CrashAccount) -> str:
    """The watcher's next look, on the machine that still runs (of several the head node)."""
    for instance_id in [account.leader()] if account.see().instances else []:
        run_id = account.see().instances[instance_id]
        done = account.run("watch", on=instance_id)
        assert done.exit == 0, done
        account.aws.wait_for_state(instance_id, "terminated", PATIENCE)
        archived = account.archived(run_id)
        return f"watcher: archives the run as {archived['status'] if archived else 'nothing'}, powers off"
    return "the machine is off"


def _dies_then(follow: Callable[[CrashAccount], str]) -> Callable[[CrashAccount], str]:
    """The machine dies with the process, without a word; then comes the next command."""

    def dies(account: CrashAccount) -> str:
        for instance_id in account.see().instances:
            account.ec2.terminate_instances(InstanceIds=[instance_id])
            account.aws.wait_for_state(instance_id, "terminated", PATIENCE)
        return f"the machine dies; {follow(account)}"

    return dies


def _leader_dies_then(follow: Callable[[CrashAccount], str]) -> Callable[[CrashAccount], str]:
    """The head node's machine dies with the process, and its member lives; then comes the next command."""

    def dies(account: CrashAccount) -> str:
        leader = account.leader()
        account.ec2.terminate_instances(InstanceIds=[leader])
        account.aws.wait_for_state(leader, "terminated", PATIENCE)
        return f"the head node dies; {follow(account)}"

    return dies


FOLLOWERS: dict[str, Callable[[CrashAccount], str]] = {
    "launch": _launch,
    "kill": _kill,
    "verify": _verify,
    "watch": _watch,
    "leader dies, kill": _leader_dies_then(_kill),
    "leader dies, verify": _leader_dies_then(_verify),
    "dies, launch": _dies_then(_launch),
    "dies, kill": _dies_then(_kill),
    "dies, verify": _dies_then(_verify),
}


def _nothing(account: CrashAccount) -> None:
    pass


def _run(account: CrashAccount) -> None:
    """A run that its instance has claimed."""
    done = account.launch()
    assert done.exit == 0, done
    claims = account.boot()
    assert claims == ["claims"], f"the instance of {done.result} did not claim its run: {claims}"


def _run_on_two(account: CrashAccount) -> None:
    done = account.launch(instances=2)
    assert done.exit == 0, done
    assert sorted(account.boot()) == ["claims", "joins"]


def _unclaimed(account: CrashAccount) -> None:
    done = account.launch()
    assert done.exit == 0, done
    root = account.aws.root(done.result["instance_id"])
    wait_for((root / "opt/chronos-training/run.json").exists, "the start of the instance", PATIENCE)


def _run_with_a_dead_pipeline(account: CrashAccount) -> None:
    _run(account)
    done = _end_of_run(account, number=0, moment="before")
    assert done.signal == 9, done


def _end_of_run(account: CrashAccount, **boundary: object) -> Done:
    return account.run("end", on=account.leader(), status="completed", **boundary)


def _in_turn(call: int, moment: int) -> str:
    """Each call meets each of the next commands, one at each of its moments."""
    return NEXT[(call + moment) % len(NEXT)]


def _watcher_or_leaders_death(call: int, moment: int) -> str:
    """The head node lives on and its watcher comes, or it dies while its member lives."""
    return f"leader dies, {('kill', 'verify')[call % 2]}" if MOMENTS[moment] == "after" else "watch"


def _watcher_or_death(call: int, moment: int) -> str:
    """The machine lives on and its watcher comes, or it dies too and the next command finds that."""
    return f"dies, {NEXT[call % len(NEXT)]}" if MOMENTS[moment] == "after" else "watch"


SCENARIOS = {
    s.name: s
    for s in (
        Scenario("launch", _nothing, CrashAccount.launch, _in_turn),
        Scenario("launch_two", _nothing, lambda account, **boundary: account.launch(instances=2, **boundary), _in_turn),
        Scenario("kill", _run, CrashAccount.kill, _in_turn, end_seconds=2.0),
        Scenario(
            "claim",
            _unclaimed,
            lambda account, **boundary: account.run("boot", on=next(iter(account.see().instances)), **boundary),
            _watcher_or_death,
        ),
        Scenario("cleanup", _run, _end_of_run, _watcher_or_death),
        Scenario("cleanup_two", _run_on_two, _end_of_run, _watcher_or_leaders_death),
        Scenario(
            "watcher",
            _run_with_a_dead_pipeline,
            lambda account, **boundary: account.run("watch", on=next(iter(account.see().instances)), **boundary),
            _watcher_or_death,
        ),
    )
}


def count_calls(account: CrashAccount, scenario: Scenario) -> list[Boundary]:
    """Return the boundaries of the command as it is now: run once, uninterrupted."""
    account.aws.inject(end_seconds=scenario.end_seconds)
    scenario.prepare(account)
    done = scenario.act(account)
    assert done.exit == 0, done
    found = boundaries(scenario.name, done.calls)
    for instance_id in account.see().instances:
        if scenario.name in {"cleanup", "cleanup_two", "watcher"}:
            account.aws.wait_for_state(instance_id, "terminated", PATIENCE)
    _end(account, [])
    return found

"""One case for each boundary of each command: prepare, crash, look, let the next command come, look again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local_aws.testing import wait_for
from tests.protocol.crash_process import MOMENTS
from tests.protocol.crash_world import PATIENCE, Done, World

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
    prepare: Callable[[World], None]
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


def play(world: World, scenario: Scenario, boundary: Boundary, follower: str) -> Row:
    """Crash once and see what the next command makes of it. Leaves the account empty."""
    world.aws.inject(end_seconds=scenario.end_seconds)
    scenario.prepare(world)
    done = scenario.act(world, number=boundary.number, moment=boundary.moment)
    assert done.signal == 9, f"not killed at {boundary}: {done}"
    time.sleep(0.1 if boundary.moment == "sent" else 0)  # the request that nobody waits for arrives
    seen = world.see()
    runs = {seen.state["run_id"]} if seen.state else set()
    claims = world.boot()
    wrong = world.violations()
    settled = [f"its instance {claim}" for claim in sorted(claims)]
    settled.append(FOLLOWERS[follower](world))
    world.boot()
    wrong += world.violations()
    _end(world, settled)
    wrong += world.remains()
    wrong += [f"run {run} has no archived end" for run in runs if not world.is_final(run)]
    wrong += [f"run {run}: _SUCCESS and status disagree" for run in runs if not _agree(world, run)]
    return Row(boundary, seen.words(), "; ".join(s for s in settled if s), tuple(wrong))


def _agree(world: World, run_id: str) -> bool:
    archived = world.archived(run_id)
    if archived is None:
        return True
    success = world.has(run_id, "_SUCCESS")
    # Somebody may ask a run to stop between its _SUCCESS and its end: then it is killed, and its results are whole.
    return success == (archived["status"] == "completed") or (success and archived["kill_requested_at"] is not None)


def _end(world: World, settled: list[str]) -> None:
    """The last command, whatever the one before left: a kill."""
    seen = world.see()
    if seen.state is None and not seen.instances and not seen.schedules:
        return
    settled.append(f"then {_kill(world)}")
    wait_for(lambda: not world.remains(), "the end of everything", PATIENCE)


def _launch(world: World) -> str:
    """Launch until it goes through, or until it is refused because the run before is alive."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = world.launch()
        if done.exit == 0:
            return f"launch: {_dead(done)}its own run starts"
        seen = world.see()
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


def _kill(world: World) -> str:
    done = world.kill()
    assert done.exit == 0, done
    parts = ["terminates the instance"] if done.result["instances"] else []
    parts += [f"archives the run as {done.result['status']}"] if done.result["status"] else []
    return f"kill: {', '.join(parts) or 'nothing to do'}"


def _verify(world: World) -> str:
    done = world.verify()
    assert done.exit == 0, done
    kinds = sorted({" ".join(name.split()[:-1]) for name in done.result["ended"]})
    if kinds:
        return f"verify: ends {', '.join(kinds)}"
    return "verify: sees the active run" if done.result["active"] else "verify: clean"


def _watch(world: World) -> str:
    """The watcher's next look, on the machine that still runs (of several the head node)."""
    for instance_id in [world.leader()] if world.see().instances else []:
        run_id = world.see().instances[instance_id]
        done = world.run("watch", on=instance_id)
        assert done.exit == 0, done
        world.aws.wait_for_state(instance_id, "terminated", PATIENCE)
        archived = world.archived(run_id)
        return f"watcher: archives the run as {archived['status'] if archived else 'nothing'}, powers off"
    return "the machine is off"


def _dies_then(follow: Callable[[World], str]) -> Callable[[World], str]:
    """The machine dies with the process, without a word; then comes the next command."""

    def dies(world: World) -> str:
        for instance_id in world.see().instances:
            world.ec2.terminate_instances(InstanceIds=[instance_id])
            world.aws.wait_for_state(instance_id, "terminated", PATIENCE)
        return f"the machine dies; {follow(world)}"

    return dies


def _leader_dies_then(follow: Callable[[World], str]) -> Callable[[World], str]:
    """The head node's machine dies with the process, and its member lives; then comes the next command."""

    def dies(world: World) -> str:
        leader = world.leader()
        world.ec2.terminate_instances(InstanceIds=[leader])
        world.aws.wait_for_state(leader, "terminated", PATIENCE)
        return f"the head node dies; {follow(world)}"

    return dies


FOLLOWERS: dict[str, Callable[[World], str]] = {
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


def _nothing(world: World) -> None:
    pass


def _run(world: World) -> None:
    """A run that its instance has claimed."""
    done = world.launch()
    assert done.exit == 0, done
    claims = world.boot()
    assert claims == ["claims"], f"the instance of {done.result} did not claim its run: {claims}"


def _run_on_two(world: World) -> None:
    done = world.launch(instances=2)
    assert done.exit == 0, done
    assert sorted(world.boot()) == ["claims", "joins"]


def _unclaimed(world: World) -> None:
    done = world.launch()
    assert done.exit == 0, done
    root = world.aws.root(done.result["instance_id"])
    wait_for((root / "opt/chronos-training/run.json").exists, "the start of the instance", PATIENCE)


def _run_with_a_dead_pipeline(world: World) -> None:
    _run(world)
    done = _end_of_run(world, number=0, moment="before")
    assert done.signal == 9, done


def _end_of_run(world: World, **boundary: object) -> Done:
    return world.run("end", on=world.leader(), status="completed", **boundary)


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
        Scenario("launch", _nothing, World.launch, _in_turn),
        Scenario("launch_two", _nothing, lambda world, **boundary: world.launch(instances=2, **boundary), _in_turn),
        Scenario("kill", _run, World.kill, _in_turn, end_seconds=2.0),
        Scenario(
            "claim",
            _unclaimed,
            lambda world, **boundary: world.run("boot", on=next(iter(world.see().instances)), **boundary),
            _watcher_or_death,
        ),
        Scenario("cleanup", _run, _end_of_run, _watcher_or_death),
        Scenario("cleanup_two", _run_on_two, _end_of_run, _watcher_or_leaders_death),
        Scenario(
            "watcher",
            _run_with_a_dead_pipeline,
            lambda world, **boundary: world.run("watch", on=next(iter(world.see().instances)), **boundary),
            _watcher_or_death,
        ),
    )
}


def count_calls(world: World, scenario: Scenario) -> list[Boundary]:
    """Return the boundaries of the command as it is now: run once, uninterrupted."""
    world.aws.inject(end_seconds=scenario.end_seconds)
    scenario.prepare(world)
    done = scenario.act(world)
    assert done.exit == 0, done
    found = boundaries(scenario.name, done.calls)
    for instance_id in world.see().instances:
        if scenario.name in {"cleanup", "cleanup_two", "watcher"}:
            world.aws.wait_for_state(instance_id, "terminated", PATIENCE)
    _end(world, [])
    return found

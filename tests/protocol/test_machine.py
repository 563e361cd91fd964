"""Hypothesis schedules the real store, reporter and primitive: it chooses who is next, and what the network does to it."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chronos_training.core import record, store
from chronos_training.core.cas import ConditionalObject, Lost
from chronos_training.core.store import Change, Fenced, Observed, StateStore
from chronos_training.core.wire import Version
from tests.protocol import actors
from tests.protocol.step_scheduler import CRASH, FAULTS, Actor, Server
from tests.protocol.summary import say

RUNS = ("20260101-120000", "20260101-120001", "20260101-120002")
SEEN: Counter[str] = Counter()


class Protocol(RuleBasedStateMachine):
    """Launchers, instances, killers, watchers and takeovers on one state file."""

    def __init__(self) -> None:
        super().__init__()
        SEEN["walks"] += 1
        self.server = Server()
        self.actors: list[Actor] = []
        self.started: list[str] = []  # runs for which RunInstances was called
        self.instances: dict[str, Actor] = {}

    def teardown(self) -> None:
        for actor in self.actors:
            actor.crash()

    def _living(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.alive]

    def _enter(self, kind: str, program) -> Actor:
        actor = Actor(f"{kind}-{len(self.actors)}", self.server, program)
        self.actors.append(actor)
        return actor

    def _terminate(self, run_id: str) -> None:
        for name, actor in self.instances.items():
            if name.split("/")[0] == run_id:
                actor.crash()

    # Who enters.

    @precondition(lambda self: len(self._living()) < 5)
    @rule(run_id=st.sampled_from(RUNS))
    def a_launcher_enters(self, run_id: str) -> None:
        self._enter("launcher", actors.launch(run_id, self.started))

    @precondition(lambda self: self.started and len(self._living()) < 6)
    @rule(data=st.data())
    def an_instance_boots(self, data: st.DataObject) -> None:
        """Also twice for one run: a RunInstances that went through twice is what the boot claim is for."""
        run_id = data.draw(st.sampled_from(self.started))
        number = sum(name.startswith(run_id) for name in self.instances)
        name, instance_id = f"{run_id}/{number}", f"i-{run_id}" + (f"-{number}" if number else "")
        self.instances[name] = self._enter("instance", actors.work(run_id, instance_id))

    @precondition(lambda self: self.server.body is not None and len(self._living()) < 6)
    @rule()
    def a_killer_enters(self) -> None:
        self._enter("killer", actors.ask_to_stop)

    @precondition(lambda self: self.server.body is not None and len(self._living()) < 6)
    @rule()
    def a_takeover_begins(self) -> None:
        self._enter("takeover", actors.take_over(self._terminate))

    @precondition(lambda self: any(not a.alive for a in self.instances.values()) and len(self._living()) < 6)
    @rule()
    def a_watcher_finds_its_pipeline_dead(self) -> None:
        name = next(name for name, actor in self.instances.items() if not actor.alive)
        run_id = name.split("/")[0]
        if not any(a.alive for n, a in self.instances.items() if n.startswith(run_id)):
            self._enter("watcher", actors.end_by_watcher(run_id))

    # What happens.

    @precondition(lambda self: self._living())
    @rule(data=st.data(), steps=st.integers(1, 8))
    def somebody_goes_on(self, data: st.DataObject, steps: int) -> None:
        actor = data.draw(st.sampled_from(self._living()))
        for _ in range(steps):
            if actor.alive:
                SEEN["steps"] += 1
                actor.step()

    @precondition(lambda self: any(a.waits_on in {"get", "put", "delete"} for a in self.actors))
    @rule(data=st.data(), fault=st.sampled_from((*FAULTS, CRASH)))
    def a_request_fails(self, data: st.DataObject, fault: str) -> None:
        actor = data.draw(st.sampled_from([a for a in self._living() if a.waits_on != "begin"]))
        if fault == CRASH:
            SEEN["crashes"] += 1
            actor.crash()
        else:
            SEEN["faults"] += 1
            actor.step(fault)

    @precondition(lambda self: self.server.late)
    @rule(data=st.data())
    def a_late_request_arrives(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.server.late) - 1))
        SEEN["late arrivals"] += 1
        self.server.late.pop(number)()

    # What must hold after each of these; the server checks every change besides.

    @invariant()
    def one_worker(self) -> None:
        working = [name for name, actor in self.instances.items() if actor.working and actor.alive]
        assert len(working) <= 1, f"two workers past the boot claim: {working}"


def explore(examples: int, length: int) -> None:
    SEEN.clear()
    run_machine(examples, length)
    say(
        f"machine on the real code: {SEEN['walks']:,} walks, {SEEN['steps']:,} steps, {SEEN['faults']:,} faults of "
        f"{len(FAULTS)} kinds, {SEEN['late arrivals']:,} late arrivals, {SEEN['crashes']:,} crashes, violations 0"
    )


def run_machine(examples: int, length: int, *, derandomize: bool = False) -> None:
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            deadline=None,
            database=None,
            derandomize=derandomize,
            report_multiple_bugs=False,
            phases=[Phase.generate] if derandomize else [Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_real_code_keeps_the_invariants():
    explore(80, 40)


@pytest.mark.protocol
@pytest.mark.timeout(900)
def test_the_real_code_keeps_the_invariants_long():
    explore(1500, 70)


# Each safeguard of the real code taken away: the machine must miss it.


def no_look_at_our_own_body(patch: pytest.MonkeyPatch) -> None:
    class Blind(bytes):
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = bytes.__hash__

    read_back = ConditionalObject._read_back

    def blind(self: ConditionalObject) -> Version | None:
        current = read_back(self)
        return current and replace(current, body=Blind(current.body))

    patch.setattr(ConditionalObject, "_read_back", blind)


def no_nonce(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(record.uuid, "uuid4", lambda: uuid.UUID(int=0))
    patch.setattr(store, "iso", lambda moment: actors.NOW)


def delete_whatever_is_there(patch: pytest.MonkeyPatch) -> None:
    delete = ConditionalObject.delete

    def unconditional(self: ConditionalObject, etag: str) -> None:
        current = self.read()
        if current is not None:
            delete(self, current.etag)

    patch.setattr(ConditionalObject, "delete", unconditional)


def claim_over_a_claim(patch: pytest.MonkeyPatch) -> None:
    def claim(self: StateStore, run_id: str, instance_id: str) -> Observed:
        observed = self.read()
        if observed is None or observed.record.run_id != run_id:
            raise Fenced("another run's")
        return self.update(
            observed, lambda r: r.evolve(status="running", instance_id=instance_id, claimed_at=actors.NOW)
        )

    patch.setattr(StateStore, "claim", claim)


def update_of_any_run(patch: pytest.MonkeyPatch) -> None:
    def update(self: StateStore, observed: Observed, change: Change, *, only_this_version: bool = False) -> Observed:
        while True:
            changed = change(observed.record)
            try:
                return self._stored(changed, self._object.write(changed.to_json(), observed.etag))
            except Lost as lost:
                current = self._observe(lost.current)
                if current is None:
                    raise Fenced("gone") from lost
                observed = replace(current, record=replace(current.record, run_id=observed.record.run_id))

    patch.setattr(StateStore, "update", update)


def an_ended_run_is_written_to(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "FINAL", frozenset())


def a_takeover_closes_any_version(patch: pytest.MonkeyPatch) -> None:
    finish = StateStore.finish

    def loose(self: StateStore, observed: Observed, status: str, error: str | None, **changes: Any) -> Observed:
        changes.pop("only_this_version", None)
        return finish(self, observed, status, error, **changes)

    patch.setattr(StateStore, "finish", loose)


@pytest.mark.parametrize(
    "safeguard",
    [
        no_look_at_our_own_body,
        pytest.param(no_nonce, marks=pytest.mark.protocol),
        delete_whatever_is_there,
        claim_over_a_claim,
        update_of_any_run,
        an_ended_run_is_written_to,
    ],
)
def test_the_machine_misses_a_safeguard(safeguard, monkeypatch):
    safeguard(monkeypatch)
    with pytest.raises(AssertionError) as found:
        run_machine(2000, 40, derandomize=True)
    say(f"machine, {safeguard.__name__.replace('_', ' ')}: found: {str(found.value).splitlines()[0]}")


# Two ways that the model's explorer found (docs/protocol.md), played on the real code. Chance rarely goes them.


def run_claimed_during_a_takeover() -> list[Actor]:
    """A takeover reads the state; a paused launch starts its instance after all; the takeover goes on."""
    server, started = Server(), []
    first, second = RUNS[:2]

    def start(name: str, what: Any) -> Actor:
        return Actor(name, server, what)

    launcher = start("ann", actors.launch(first, started))
    for _ in range(3):  # begin, acquire, intent
        launcher.step()
    takeover = start("bob", actors.take_over(lambda run_id: None))
    takeover.step()
    takeover.step()  # has read the state and finds no instance
    worker = start("i-1", actors.work(first, f"i-{first}"))
    while not worker.working:
        worker.step()
    takeover.finish()
    if start("carl", actors.launch(second, started)).finish() == "launched":
        other = start("i-2", actors.work(second, f"i-{second}"))
        while other.alive and not other.working:
            other.step()
        return [worker, other]
    return [worker]


def test_a_claim_during_a_takeover_saves_the_run(monkeypatch):
    assert [actor.working for actor in run_claimed_during_a_takeover()] == [True]
    a_takeover_closes_any_version(monkeypatch)
    assert [actor.working for actor in run_claimed_during_a_takeover()] == [True, True]


def test_a_launch_whose_lock_was_closed_meanwhile_starts_nothing():
    server, started = Server(), []
    launcher = Actor("ann", server, actors.launch(RUNS[0], started))
    launcher.step()
    launcher.step("lost after")  # the create is done, its answer is lost
    closer = Actor("bob", server, actors.take_over(lambda run_id: None))
    for _ in range(3):  # begin, read, final status; the delete is still to come
        closer.step()
    assert (launcher.finish(), started) == ("fenced", [])

"""What the programs act on: one S3 object with conditions, EC2 that lists late, a network that loses and delays."""

from __future__ import annotations

from typing import Any, NamedTuple

from chronos_training.core.states import FINAL, check_transition

from .rules import Record, Rules

WRITES = ("put", "delete", "run")


class Machine(NamedTuple):
    """One instance. `state` is live, shutting-down or terminated; `listed` whether DescribeInstances shows it yet.

    `done`: its program is over, and its shutdown is all that is to come.
    """

    name: str
    run: str
    token: str
    state: str
    listed: bool
    working: bool
    done: bool = False

    @property
    def at_large(self) -> bool:
        """Whether it would go on if nobody ended it."""
        return self.state == "live" and not self.done


class Budget(NamedTuple):
    """How many faults of each kind are still to come in a walk."""

    crashes: int = 1
    lost: int = 1  # answers that do not arrive, of requests that did or did not
    delayed: int = 1  # requests that arrive after their sender's death
    capacity: int = 0
    hardware: int = 0  # instances that die by themselves


class ModelState(NamedTuple):
    """Everything there is. `old` is: nobody wrote the state for longer than EC2 needs to list an instance."""

    stored: Record | None
    old: bool
    machines: tuple[Machine, ...]
    actors: tuple[tuple[str, int | None], ...]  # name, control state (None: dead)
    network: tuple[tuple[Any, ...], ...]
    named: frozenset[str]  # runs that the state has ever named
    promised: tuple[tuple[str, tuple[str, ...]], ...]  # kill -> instances that lived when it asked: it has to end them
    budget: Budget

    def machine(self, name: str) -> Machine | None:
        return next((m for m in self.machines if m.name == name), None)

    def with_machine(self, new: Machine) -> ModelState:
        return self._replace(machines=tuple(new if m.name == new.name else m for m in self.machines))


def apply(state: ModelState, sender: str, request: tuple[Any, ...], rules: Rules) -> tuple[ModelState, Any]:
    """Do `request`; return the state after it, and the answer. Violation when an invariant breaks."""
    kind = request[0]
    if kind == "get":
        return state, (state.stored, state.old)
    if kind == "put":
        return _put(state, request[1], request[2], rules)
    if kind == "delete":
        return _delete(state, request[1], rules)
    if kind == "list":
        return state, _listed(state, request[1], alive=request[1] is None)
    if kind == "run":
        return _run(state, request[1], request[2], rules)
    if kind == "terminate":
        for name in request[1]:
            found = state.machine(name)
            if found is not None and found.state == "live":
                state = state.with_machine(found._replace(state="shutting-down"))
        return state, "done"
    if kind == "confirm":
        return state, "done"
    if kind == "work":
        found = state.machine(sender)
        assert found is not None
        state = state.with_machine(found._replace(working=request[1]))
        if sum(m.working and m.state != "terminated" for m in state.machines) > 1:
            rules.broken("two workers past the boot claim")
        return state, "done"
    if kind == "wait":
        stored = state.stored
        if stored is None or stored.run != request[1]:
            return state, "changed"
        return state, "listed"
    if kind == "kept":
        owed = dict(state.promised).get(sender, ())
        if any(m.name in owed and m.at_large for m in state.machines):
            rules.broken("kill ended although an instance lives that it was to end")
        return state._replace(promised=tuple(p for p in state.promised if p[0] != sender)), "done"
    if kind == "nothing lives":
        if any(m.run == request[1] and m.at_large for m in state.machines):
            rules.broken("a launch gave its lock back although an instance of it lives")
        return state, "done"
    if kind == "done":
        found = state.machine(sender)
        assert found is not None
        return state.with_machine(found._replace(done=True, working=False)), "done"
    if kind == "result":
        if state.stored is None or state.stored.run != request[1] or state.stored.instance != sender:
            rules.broken("results are stored by an instance that is not the one in the state")
        return state, "done"
    raise AssertionError(request)


def is_possible(state: ModelState, request: tuple[Any, ...]) -> bool:
    """Whether the request can be answered now.

    A confirmation waits until EC2 says `terminated` of each; a wait until EC2 lists what it is about (an instance, or any
    of a run), until that can no longer turn up, or until the run no longer holds the lock.
    """
    if request[0] == "wait":
        stored = state.stored
        listed = any(m.listed and request[2] in (m.name, m.run) for m in state.machines)
        return listed or state.old or stored is None or stored.run != request[1]
    if request[0] != "confirm":
        return True
    found = [state.machine(name) for name in request[1]]
    return all(m is not None and m.listed and m.state == "terminated" for m in found)


def _put(state: ModelState, body: Record, seen: Record | None, rules: Rules) -> tuple[ModelState, str]:
    stored = state.stored
    checked = rules.safe.if_none_match_on_create if seen is None else rules.safe.if_match_on_write
    if (checked or (stored is None and seen is not None)) and rules.etag(stored) != rules.etag(seen):
        return state, "refused"
    if stored is not None and stored.run != body.run:
        rules.broken("a write replaced the state of another run")
    if stored is not None:
        _check_succession(stored, body, rules)
    if body.written_by[1] == "kill":
        alive = tuple(m.name for m in state.machines if m.run == body.run and m.at_large)
        state = state._replace(promised=(*state.promised, (body.written_by[0], alive)))
    return state._replace(stored=body, old=False, named=state.named | {body.run}), "done"


def _check_succession(old: Record, new: Record, rules: Rules) -> None:
    if old.status in FINAL and new.status != old.status:
        rules.broken(f"a final status changed from {old.status} to {new.status}")
    try:
        check_transition(old.status, new.status)
    except ValueError as error:
        rules.broken(str(error))
    if new.step < old.step:
        rules.broken("a step went back")
    if new.sequence <= old.sequence:
        rules.broken("the sequence does not grow: a stale writer replaced a newer version")
    if old.claimed and new.instance != old.instance:
        rules.broken("the run was claimed by a second instance")


def _delete(state: ModelState, seen: Record, rules: Rules) -> tuple[ModelState, str]:
    if state.stored is None:
        return state, "refused"
    if rules.safe.if_match_on_delete and rules.etag(state.stored) != rules.etag(seen):
        return state, "refused"
    if state.stored != seen:
        rules.broken("a delete removed another version than the one observed")
    return state._replace(stored=None, old=False), "done"


def _listed(state: ModelState, run: str | None, *, alive: bool) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (m.name, m.state, m.run)
        for m in state.machines
        if m.listed and (run is None or m.run == run) and not (alive and m.state == "terminated")
    )


def _run(state: ModelState, run: str, token: str, rules: Rules) -> tuple[ModelState, str]:
    known = next((m for m in state.machines if m.token == token), None)
    if known is not None:  # EC2 knows the ClientToken: the same instance again
        return state, known.name
    if run not in state.named:
        rules.broken("an instance lives whose run no state ever named")
    if any(m.run == run and m.state == "live" for m in state.machines):
        rules.broken("a run has two live instances")
    name = f"i{len(state.machines) + 1}"
    machine = Machine(name, run, token, "live", listed=False, working=False)
    return state._replace(machines=(*state.machines, machine)), name

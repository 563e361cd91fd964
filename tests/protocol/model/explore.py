"""Breadth first through every interleaving of a scenario: each state once, the shortest way to each violation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .rules import Program, Rules, Safeguards, Violation
from .state import WRITES, Budget, ModelState, apply, is_possible

# Answered at once, together with what came before: nothing outside can tell the difference.
LOCAL = ("work", "done", "kept", "nothing lives")
Cast = tuple[tuple[str, str, tuple[Any, ...]], ...]  # name, program, arguments


@dataclass
class Found:
    """The result of an exploration. `steps` is the shortest way to the violation, empty when there is none."""

    states: int = 0
    transitions: int = 0
    ends: int = 0
    residue: int = 0  # ends with a lock that has no owner, of a create that arrived after its sender's death
    taken_over: int = 0  # ends with a lock of a crashed actor, which the next command settled
    kept: int = 0  # ends with a lock that a launch kept because EC2 never told whether it started an instance
    violation: str | None = None
    steps: list[str] = field(default_factory=list)


class Controls:
    """The control states of all programs, numbered. A program is replayed from its answers to be taken further."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._numbers: dict[Any, int] = {}
        self._states: list[tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...] | None]] = []
        self._next: dict[tuple[int, Any], int] = {}
        self._first: dict[tuple[Any, ...], int] = {}

    def start(self, what: str, arguments: tuple[Any, ...]) -> int:
        program = (what, arguments)
        if program not in self._first:
            self._first[program] = self._enter(program, ())
        return self._first[program]

    def request(self, number: int) -> tuple[Any, ...] | None:
        """The request that the program waits on, None when it has ended."""
        return self._states[number][2]

    def answer(self, number: int, answer: Any) -> int:
        if (number, answer) not in self._next:
            program, answers, _ = self._states[number]
            self._next[number, answer] = self._enter(program, (*answers, answer))
        return self._next[number, answer]

    def _enter(self, program: tuple[Any, ...], answers: tuple[Any, ...]) -> int:
        generator = getattr(self._rules, program[0])(*program[1])
        try:
            request = next(generator)
            for answer in answers:
                request = generator.send(answer)
            key = (program, _position(generator))
        except StopIteration:
            request, key = None, "ended"
        if key not in self._numbers:
            self._numbers[key] = len(self._states)
            self._states.append((program, answers, request))
        return self._numbers[key]


def _position(generator: Program) -> tuple[Any, ...]:
    """Where a generator stands: line and locals of each frame of it."""
    frames = []
    current: Any = generator
    while current is not None:
        values = tuple(sorted((k, v) for k, v in current.gi_frame.f_locals.items() if k != "self"))
        frames.append((current.gi_code.co_name, current.gi_frame.f_lasti, values))
        current = current.gi_yieldfrom
    return tuple(frames)


class Explorer:
    """All walks of a cast of programs within a budget of faults."""

    def __init__(
        self,
        cast: Cast,
        budget: Budget,
        safe: Safeguards | None = None,
        *,
        waived: frozenset[str] = frozenset(),
        limit: int = 3_000_000,
    ) -> None:
        self.rules = Rules(safe or Safeguards(), waived)
        self.controls = Controls(self.rules)
        self.limit = limit
        actors = tuple((name, self.controls.start(what, arguments)) for name, what, arguments in cast)
        self.first = ModelState(None, False, (), actors, (), frozenset(), (), budget)

    def run(self) -> Found:
        """Explore everything; stop at the first violation."""
        found = Found()
        before: dict[ModelState, tuple[ModelState, str] | None] = {self.first: None}
        queue = deque([self.first])
        while queue:
            state = queue.popleft()
            found.states += 1
            quiet = True
            try:
                for label, after, is_fault in self._moves(state):
                    found.transitions += 1
                    quiet = quiet and is_fault
                    if after not in before:
                        before[after] = (state, label)
                        queue.append(after)
                if quiet:
                    self._check_end(state, found)
            except Violation as violation:
                *words, label = violation.args
                found.violation = str(words[0]) if words else str(label)
                found.steps = [*_way(before, state), str(label)]
                return found
            if len(before) > self.limit:
                raise AssertionError(f"more than {self.limit:,} states: the scenario is too large")
        return found

    def _moves(self, state: ModelState) -> Iterator[tuple[str, ModelState, bool]]:
        """Everything that can happen next: what is said of it, the state after it, whether it is a fault."""
        for name, control in state.actors:
            if control is not None:
                yield from self._moves_of(state, name, control)
        for number, (sender, request) in enumerate(state.network):
            rest = state._replace(network=state.network[:number] + state.network[number + 1 :])
            label = f"late: {_words(sender, request)}"
            after, answer = self._apply(rest, sender, request, label)
            yield f"{label} → {_answer(answer)}", self._boot(after), False
        for machine in state.machines:
            if not machine.listed:
                yield f"EC2 lists {machine.name}", state.with_machine(machine._replace(listed=True)), False
            if machine.state == "shutting-down":
                yield from self._die(state, machine.name, f"EC2 has terminated {machine.name}", fault=False)
            elif machine.state == "live" and state.budget.hardware:
                poorer = state._replace(budget=state.budget._replace(hardware=state.budget.hardware - 1))
                yield from self._die(poorer, machine.name, f"{machine.name} dies", fault=True)
        # EC2's promise, and the only use of time: within the consistency window every instance is listed.
        watched = any(c is not None for name, c in state.actors if state.machine(name) is None)
        if state.stored and watched and not state.old and all(m.listed or not self._window for m in state.machines):
            yield "minutes pass without a write", state._replace(old=True), False

    @property
    def _window(self) -> bool:
        return self.rules.safe.consistency_window

    def _moves_of(self, state: ModelState, name: str, control: int) -> Iterator[tuple[str, ModelState, bool]]:
        request = self.controls.request(control)
        is_machine = state.machine(name) is not None
        if request is None:
            if is_machine:  # the end of the instance's program is the end of the instance
                yield from self._die(state, name, f"{name} shuts down", fault=False)
            return
        label = _words(name, request)
        if is_possible(state, request):
            after, answer = self._apply(state, name, request, label)
            yield self._answered(f"{label} → {_answer(answer)}", after, name, control, answer)
        budget = state.budget
        if request[0] in WRITES and budget.lost:
            poorer = state._replace(budget=budget._replace(lost=budget.lost - 1))
            after, _ = self._apply(poorer, name, request, label)
            yield self._answered(
                f"{label} is done, but its answer is lost", after, name, control, "unknown", fault=True
            )
            yield self._answered(f"{label} is lost", poorer, name, control, "unknown", fault=True)
        if request[0] == "run" and budget.capacity:
            poorer = state._replace(budget=budget._replace(capacity=budget.capacity - 1))
            yield self._answered(f"{label} → no capacity", poorer, name, control, "no capacity", fault=True)
        if budget.crashes and not is_machine:
            poorer = state._replace(budget=budget._replace(crashes=budget.crashes - 1))
            yield f"{name} crashes before: {label}", self._boot(_dead(poorer, name)), True
            if request[0] in WRITES and budget.delayed:
                late = poorer._replace(budget=poorer.budget._replace(delayed=budget.delayed - 1))
                late = late._replace(network=(*late.network, (name, request)))
                yield f"{name} crashes, and a request of it is delayed: {label}", self._boot(_dead(late, name)), True

    def _answered(
        self, label: str, state: ModelState, name: str, control: int, answer: Any, *, fault: bool = False
    ) -> tuple[str, ModelState, bool]:
        try:
            after = self.controls.answer(control, answer)
            while (request := self.controls.request(after)) is not None and request[0] in LOCAL:
                state, local = apply(state, name, request, self.rules)
                after = self.controls.answer(after, local)
        except Violation as violation:
            raise Violation(str(violation), label) from None
        actors = tuple((n, after if n == name else c) for n, c in state.actors)
        return label, self._boot(state._replace(actors=actors)), fault

    def _apply(self, state: ModelState, name: str, request: tuple[Any, ...], label: str) -> tuple[ModelState, Any]:
        try:
            return apply(state, name, request, self.rules)
        except Violation as violation:
            raise Violation(str(violation), label) from None

    def _boot(self, state: ModelState) -> ModelState:
        """Start the program of every new machine, and forget differences that nobody can see any more."""
        running = {name for name, _ in state.actors}
        new = tuple(
            (m.name, self.controls.start("instance", (m.name, m.run))) for m in state.machines if m.name not in running
        )
        machines = {m.name for m in state.machines}
        actors = tuple(
            (name, None if name not in machines and c is not None and self.controls.request(c) is None else c)
            for name, c in state.actors + new
        )
        state = state._replace(actors=actors)
        if all(c is None for name, c in actors if name not in machines):  # nobody will ask EC2, or for the age
            state = state._replace(old=False, machines=tuple(m._replace(listed=True) for m in state.machines))
        return state

    def _die(self, state: ModelState, name: str, label: str, *, fault: bool) -> Iterator[tuple[str, ModelState, bool]]:
        machine = state.machine(name)
        assert machine is not None
        control = dict(state.actors)[name]
        gone = _dead(state.with_machine(machine._replace(state="terminated", working=False)), name)
        yield label, gone, fault
        request = self.controls.request(control) if control is not None else None
        if request is not None and request[0] in WRITES and state.budget.delayed:
            budget = gone.budget._replace(delayed=gone.budget.delayed - 1)
            late = gone._replace(budget=budget, network=(*gone.network, (name, request)))
            yield f"{label}, and a request of it is delayed: {_words(name, request)}", late, True

    def _check_end(self, state: ModelState, found: Found) -> None:
        """Nothing more will happen by itself: is anything left, and does one command clear it?"""
        found.ends += 1
        alive = [m.name for m in state.machines if m.state != "terminated"]
        if alive:
            raise Violation("an instance is alive and will not end", f"the end: {', '.join(alive)} lives on")
        if state.stored is None:
            return
        waiting = [name for name, c in state.actors if c is not None and self.controls.request(c) is not None]
        if waiting:
            raise Violation("an actor waits for ever", f"the end: {', '.join(waiting)} still waits")
        kept = state.stored.kill and not state.stored.claimed and self.first.budget.lost - state.budget.lost > 1
        crashed = state.budget.crashes < self.first.budget.crashes or state.budget[2:] != self.first.budget[2:]
        if not crashed and not kept:
            raise Violation("a lock is left although nobody crashed", f"the end: {_words('', ('put', state.stored))}")
        if not self._settled_by(state, ("kill", ("settler",))):
            raise Violation("a lock without a way out", "the end: kill does not clear the lock")
        if not self._settled_by(state._replace(old=True), ("launch", ("settler", "next run", ("t",)))):
            raise Violation("a lock without a way out", "the end: launch does not settle the lock")
        late_create = state.stored.status == "starting" and state.budget.delayed < self.first.budget.delayed
        found.residue += late_create
        found.kept += kept and not crashed
        found.taken_over += crashed and not late_create

    def _settled_by(self, state: ModelState, program: tuple[str, tuple[Any, ...]]) -> bool:
        """Whether the lock is gone after one more command, alone and without faults."""
        left = state.stored
        assert left is not None
        control = self.controls.start(*program)
        while (request := self.controls.request(control)) is not None:
            if not is_possible(state, request):
                # Nothing else happens any more, so time may pass: then whatever EC2 has is listed.
                state = state._replace(old=True, machines=tuple(m._replace(listed=True) for m in state.machines))
            if not is_possible(state, request):
                return False
            state, answer = self._apply(state, "settler", request, _words("settler", request))
            control = self.controls.answer(control, answer)
        return state.stored is None or state.stored.run != left.run


def _dead(state: ModelState, name: str) -> ModelState:
    return state._replace(
        actors=tuple((n, None if n == name else c) for n, c in state.actors),
        promised=tuple(entry for entry in state.promised if entry[0] != name),
    )


def _way(before: dict[ModelState, tuple[ModelState, str] | None], state: ModelState) -> list[str]:
    labels = []
    while (step := before[state]) is not None:
        state, label = step
        labels.append(label)
    return labels[::-1]


def _words(name: str, request: tuple[Any, ...]) -> str:
    kind = request[0]
    if kind == "put":
        body = request[1]
        of = f" by {body.instance}" if body.claimed else ""
        return f"{name} writes {body.run} {body.status}{of} ({body.written_by[1]})"
    words = {
        "get": "reads the state",
        "delete": "deletes the state",
        "run": "calls RunInstances",
        "list": "lists instances",
        "terminate": "terminates",
        "confirm": "sees terminated:",
        "result": "stores the results",
        "wait": "waits until EC2 has listed what it may have started",
        "done": "has come to its end",
        "kept": "says that all is ended",
        "nothing lives": "says that nothing is left",
    }[kind]
    names = " " + ", ".join(request[1]) if kind in ("terminate", "confirm") else ""
    of_run = f" of {request[1].run}" if kind == "delete" else ""
    return f"{name} {words}{names}{of_run}"


def _answer(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], bool):
        record, old = answer
        return "none" if record is None else f"{record.run} {record.status}{', old' if old else ''}"
    return ", ".join(f"{name} {state}" for name, state, _ in answer) or "none"

"""The programs of the model: launch, kill, settle and the instance, line for line as the real ones decide.

Each program is a generator that yields one request and is sent its answer; between two requests anything may happen.
Locals are hashable and loops are `while` loops: the explorer tells control states apart by line and locals alone.

| here             | real code                                   |
|------------------|---------------------------------------------|
| write, delete    | core/cas.py ConditionalObject               |
| acquire … remove | core/store.py StateStore                    |
| proof_of_death   | control/lifecycle/reconcile.py                           |
| launch, attempts | control/launch/launch.py, run_instances.py         |
| abandon          | control/launch/roll_back.py                          |
| kill             | control/lifecycle/kill.py                             |
| release          | control/lifecycle/finalize.py                          |
| instance         | agent/pipeline.py, reporter.py, ending.py|

The transition table is not copied: it is the real one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from chronos_training.core.states import (
    COMPLETED,
    FAILED,
    FINAL,
    KILLED,
    LOST,
    RUNNING,
    STARTING,
    STOPPING,
    check_transition,
)

Program = Generator[tuple[Any, ...], Any, Any]


class Record(NamedTuple):
    """The state file. `written_by` is the nonce: who wrote it, as which change."""

    run: str
    token: str
    status: str
    instance: str | None
    claimed: bool
    step: int
    kill: bool
    sequence: int
    written_by: tuple[Any, ...]


@dataclass(frozen=True)
class Safeguards:
    """Every rule that can be taken away, one at a time, to see what it is good for."""

    boot_claim: bool = True
    claim_is_once: bool = True
    confirm_terminated: bool = True
    proof_before_takeover: bool = True
    consistency_window: bool = True
    close_only_what_was_proved: bool = True
    nonce: bool = True
    settle_lost_answers: bool = True
    if_match_on_delete: bool = True
    if_match_on_write: bool = True
    if_none_match_on_create: bool = True
    client_token: bool = True
    intent_first: bool = True
    run_checked_on_update: bool = True
    final_is_final: bool = True
    kill_releases_what_it_ended: bool = True
    kill_waits_until_listed: bool = True
    unknown_keeps_the_lock: bool = True
    attach_or_end: bool = True


class Violation(Exception):
    """An invariant does not hold."""


class Lost(Exception):
    def __init__(self, current: Record | None) -> None:
        self.current = current


class Fenced(Exception):
    pass


class Active(Exception):
    pass


class Rules:
    """The programs under a choice of safeguards."""

    def __init__(self, safe: Safeguards, waived: frozenset[str] = frozenset()) -> None:
        """`waived` invariants are not looked at: to see which other one breaks behind them."""
        self.safe, self.waived = safe, waived

    def broken(self, invariant: str) -> None:
        """Say that an invariant does not hold."""
        if invariant not in self.waived:
            raise Violation(invariant)

    def etag(self, record: Record | None) -> Any:
        """An ETag is a hash of the bytes: without the nonce equal content is the same version."""
        return record if record is None or self.safe.nonce else record[:-1]

    # The primitive.

    def write(self, body: Record, seen: Record | None) -> Program:
        while True:
            if (yield ("put", body, seen)) == "done":
                return body
            current, _ = yield ("get",)
            if self.safe.settle_lost_answers and current is not None and self.etag(current) == self.etag(body):
                if current != body:
                    self.broken("a write was acknowledged that was never committed")
                return current
            if self.etag(current) != self.etag(seen):
                raise Lost(current)

    def delete(self, seen: Record) -> Program:
        sent = False
        while True:
            answer = yield ("delete", seen)
            if answer == "done":
                return True
            sent, answer = sent or answer == "unknown", None
            current, _ = yield ("get",)
            if current is None:
                return sent
            if self.etag(current) != self.etag(seen):
                raise Active

    # The store.

    def acquire(self, me: str, run: str, token: str) -> Program:
        fresh = Record(run, token, STARTING, None, False, 0, False, 1, (me, "acquire", 1))
        while True:
            try:
                return (yield from self.write(fresh, None))
            except Lost as lost:
                current = lost.current
            if current is None:
                continue
            if current.run == run and self.safe.settle_lost_answers:
                return current
            raise Active

    def update(self, me: str, seen: Record, change: tuple[Any, ...], *, strict: bool = False) -> Program:
        """`change` is ("name", argument…), see `changed`. `strict` writes on the version seen or not at all."""
        run = seen.run
        while True:
            if seen.status in FINAL and self.safe.final_is_final:
                raise Fenced
            body = self.changed(me, seen, change)
            try:
                return (yield from self.write(body, seen))
            except Lost as lost:
                current = lost.current
            if current is None or (current.run != run and self.safe.run_checked_on_update):
                raise Fenced
            if strict:
                raise Fenced
            seen = current

    def changed(self, me: str, old: Record, change: tuple[Any, ...]) -> Record:
        """The pure changes, with the checks that the real ones make."""
        what, *arguments = change
        new = old
        if what == "intent":
            new = old._replace(token=arguments[0])
        elif what == "attach":
            new = old._replace(instance=arguments[0])
        elif what == "claim":
            if self.safe.claim_is_once and old.instance not in (None, arguments[0]):
                raise Fenced
            status = old.status if old.status == STOPPING else RUNNING
            new = old._replace(instance=arguments[0], claimed=True, status=status)
        elif what == "step":
            new = old._replace(step=max(old.step, arguments[0]))
        elif what == "kill":
            new = old._replace(status=STOPPING, kill=True)
        elif what == "finish":
            new = old._replace(status=KILLED if old.kill and arguments[0] == COMPLETED else arguments[0])
        if self.safe.final_is_final:
            try:
                check_transition(old.status, new.status)
            except ValueError:
                raise Fenced from None
        return new._replace(sequence=old.sequence + 1, written_by=(me, what, old.sequence + 1))

    def close(self, me: str, seen: Record, status: str) -> Program:
        """Final status, then the delete of exactly that version. A claim that came in between voids the proof."""
        final = seen
        if seen.status not in FINAL:
            final = yield from self.update(me, seen, ("finish", status), strict=self.safe.close_only_what_was_proved)
        return (yield from self.delete(final))

    # The commands.

    def proof_of_death(self, seen: Record, old: bool) -> Program:
        known = yield ("list", seen.run)
        if not self.safe.proof_before_takeover:
            return old
        if any(state != "terminated" for _, state, _ in known):
            return False
        if any(name == seen.instance for name, _, _ in known):
            return True
        return old or not self.safe.consistency_window

    def launch(self, me: str, run: str, tokens: tuple[str, ...]) -> Program:
        try:
            if not (yield from self.settle(me)):
                return "refused"
            known = yield ("list", None)
            if any(state == "live" for _, state, _ in known):  # what EC2 is ending is launched beside
                return "refused"
            del known
            if not self.safe.intent_first:
                return (yield from self.careless_launch(me, run, tokens[0]))
            seen = yield from self.acquire(me, run, tokens[0])
        except (Fenced, Active):
            return "refused"
        try:
            outcome = yield from self.attempts(me, run, tokens, seen)
        except Fenced:
            outcome = "refused"
        del seen
        return outcome if outcome == "launched" else (yield from self.abandon(me, run, outcome))

    def abandon(self, me: str, run: str, outcome: str) -> Program:
        """End what was started and give the lock back; it is kept while nobody can know what was started."""
        known = yield ("list", run)
        seen, _ = yield ("get",)
        if (
            self.safe.unknown_keeps_the_lock
            and outcome == "unknown"
            and not known
            and seen is not None
            and seen.run == run
            and seen.instance is None
            and seen.status not in FINAL
        ):
            try:
                yield from self.update(me, seen, ("kill",))
            except Fenced:
                pass
            return "left to the next command"
        del known, seen
        if not self.safe.close_only_what_was_proved:
            yield from self.end_instances(run)
        released = yield from self.release(me, (run,), FAILED)
        yield ("nothing lives", run)
        return released

    def settle(self, me: str) -> Program:
        """Whether the lock is free now: nobody had it, or its run was proved dead."""
        seen, old = yield ("get",)
        if seen is not None:
            if not (yield from self.proof_of_death(seen, old)):
                return False
            yield from self.close(me, seen, LOST)
        return True

    def attempts(self, me: str, run: str, tokens: tuple[str, ...], seen: Record) -> Program:
        """One token for each attempt, in the state before its call. Returns launched, refused or unknown."""
        number = 0
        while number < len(tokens):
            seen = yield from self.update(me, seen, ("intent", tokens[number]))
            if seen.kill:
                return "refused"
            answer = yield ("run", run, tokens[number])
            if answer == "unknown":  # asked again, with the same token
                answer = yield ("run", run, tokens[number] if self.safe.client_token else tokens[number] + "'")
            if answer == "unknown":
                return "unknown"
            if answer != "no capacity":
                try:
                    yield from self.update(me, seen, ("attach", answer))
                except Fenced:
                    if self.safe.attach_or_end:
                        yield ("terminate", (answer,))
                    raise
                return "launched"
            number += 1
        return "refused"

    def careless_launch(self, me: str, run: str, token: str) -> Program:
        answer = yield ("run", run, token)
        if answer in ("unknown", "no capacity"):
            return "failed"
        seen = yield from self.acquire(me, run, token)
        yield from self.update(me, seen, ("attach", answer))
        return "launched"

    def kill(self, me: str) -> Program:
        """With and without force: the grace time that a claimed run gets may be any, also none."""
        run, waited = yield from self.ask(me)
        ended = yield from self.end_instances(None)
        runs = tuple(sorted({*ended, run} - {None})) if self.safe.kill_releases_what_it_ended else (run,)
        del ended, run
        yield from self.release(me, runs, KILLED)
        if waited:
            yield ("kept",)
        return "ended"

    def ask(self, me: str) -> Program:
        """Ask the active run to stop. Returns the run, and whether its end is promised.

        Promised: a launch may have asked EC2 for an instance, and kill waits until that is listed, or cannot come.
        """
        seen, old = yield ("get",)
        if seen is None or seen.status in FINAL:
            return (None if seen is None else seen.run), False
        run = seen.run
        try:
            seen = yield from self.update(me, seen, ("kill",))
        except Fenced:
            return run, False
        if seen.claimed or old:
            return run, False
        if not self.safe.kill_waits_until_listed:
            return run, True
        return run, (yield ("wait", run, run)) == "listed"

    def end_instances(self, run: str | None) -> Program:
        """Terminate what is listed, and see it terminated. Returns the runs of what was alive."""
        known = yield ("list", run)
        known = tuple(entry for entry in known if entry[1] != "terminated")
        names = tuple(sorted(name for name, _, _ in known))
        if names:
            yield ("terminate", names)
            if self.safe.confirm_terminated:
                yield ("confirm", names)
        return tuple(sorted({of_run for _, _, of_run in known}))

    def release(self, me: str, runs: tuple[str, ...], status: str) -> Program:
        """Close the run, on proof: all of it that is listed is terminated, and what the state names is listed."""
        while True:
            seen, old = yield ("get",)
            if seen is None or seen.run not in runs:
                return "already released"
            if self.safe.close_only_what_was_proved:
                known = yield ("list", seen.run)
                alive = tuple(sorted(name for name, state, _ in known if state != "terminated"))
                awaited = seen.instance is not None and not old and seen.instance not in {name for name, _, _ in known}
                del known, old
                if alive and self.safe.confirm_terminated:
                    del seen, awaited
                    yield ("terminate", alive)
                    yield ("confirm", alive)
                    continue
                if awaited:
                    yield ("wait", seen.run, seen.instance)
                    continue
                del alive, awaited
            try:
                yield from self.close(me, seen, status)
            except (Fenced, Active):
                if not self.safe.close_only_what_was_proved:
                    return "fenced"
                continue
            return "released"

    # The instance.

    def instance(self, me: str, run: str) -> Program:
        try:
            ended = yield from self.work(me, run)
        except (Fenced, Active):
            ended = "must not work"
        yield ("done",)
        return ended

    def work(self, me: str, run: str) -> Program:
        seen, _ = yield ("get",)
        if seen is None or (self.safe.boot_claim and seen.run != run):
            return "must not work"
        if self.safe.boot_claim:
            seen = yield from self.update(me, seen, ("claim", me))
        yield ("work", True)
        seen = yield from self.update(me, seen, ("step", 1))
        yield ("result", run)
        seen = yield from self.update(me, seen, ("finish", KILLED if seen.kill else COMPLETED))
        yield ("work", False)
        yield from self.delete(seen)
        return "ended"

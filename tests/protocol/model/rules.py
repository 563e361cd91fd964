"""The programs of the model: launch, kill, settle and the instance, line for line as the real ones decide.

Each program is a generator that yields one request and is sent its answer; between two requests anything may happen.
Locals are hashable and loops are `while` loops: the explorer tells control states apart by line and locals alone.

| here             | real code                                   |
|------------------|---------------------------------------------|
| write, delete    | core/cas.py ConditionalObject               |
| acquire … remove | core/store.py StateStore                    |
| proof_of_death   | control/settle.py                           |
| launch           | control/launch.py                           |
| kill             | control/kill.py                             |
| instance         | instance/pipeline.py, reporter.py, ending.py|

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
                holder = lost.current
            if holder is None:
                continue
            if holder.run == run and self.safe.settle_lost_answers:
                return holder
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
            if not (yield from self.settle(me)) or (yield ("list", None)):
                return "refused"
            if not self.safe.intent_first:
                return (yield from self.careless_launch(me, run, tokens[0]))
            seen = yield from self.acquire(me, run, tokens[0])
        except (Fenced, Active):
            return "refused"
        try:
            if (yield from self.attempts(me, run, tokens, seen)):
                return "launched"
        except Fenced:
            pass
        del seen
        yield from self.end_instances(me, run, None)
        return (yield from self.release(me, run, FAILED))

    def settle(self, me: str) -> Program:
        """Whether the lock is free now: nobody had it, or its run was proved dead."""
        seen, old = yield ("get",)
        if seen is not None:
            if not (yield from self.proof_of_death(seen, old)):
                return False
            yield from self.close(me, seen, LOST)
        return True

    def attempts(self, me: str, run: str, tokens: tuple[str, ...], seen: Record) -> Program:
        """One token for each attempt, in the state before its call. Whether an instance was started."""
        number = 0
        while number < len(tokens):
            if seen.token != tokens[number]:
                seen = yield from self.update(me, seen, ("intent", tokens[number]))
            answer = yield ("run", run, tokens[number])
            if answer == "unknown":  # botocore sends it again, with the same token
                answer = yield ("run", run, tokens[number] if self.safe.client_token else tokens[number] + "'")
            if answer == "unknown":
                return False
            if answer != "no capacity":
                yield from self.update(me, seen, ("attach", answer))
                return True
            number += 1
        return False

    def careless_launch(self, me: str, run: str, token: str) -> Program:
        answer = yield ("run", run, token)
        if answer in ("unknown", "no capacity"):
            return "failed"
        seen = yield from self.acquire(me, run, token)
        yield from self.update(me, seen, ("attach", answer))
        return "launched"

    def kill(self, me: str, force: bool) -> Program:
        run = yield from self.ask(me, force)
        ended = yield from self.end_instances(me, None, None)
        if self.safe.kill_releases_what_it_ended:
            seen, _ = yield ("get",)
            if seen is not None and seen.run in ended:
                run = seen.run
            del seen
        del ended
        return run is not None and (yield from self.release(me, run, KILLED))

    def ask(self, me: str, force: bool) -> Program:
        """Ask the active run to stop, unless forced. Returns the run; the grace time may be any."""
        seen, _ = yield ("get",)
        if seen is None:
            return None
        if not force and seen.claimed and seen.status not in FINAL:
            try:
                yield from self.update(me, seen, ("kill",))
            except Fenced:
                pass
        return seen.run

    def end_instances(self, me: str, run: str | None, named: str | None) -> Program:
        """Terminate what is listed, and what the state names although it is not listed yet. Returns their runs."""
        known = yield ("list", run)
        known = tuple(entry for entry in known if entry[1] != "terminated")
        names = tuple(sorted({name for name, _, _ in known} | ({named} if named else set())))
        if names:
            yield ("terminate", names)
            if self.safe.confirm_terminated:
                yield ("confirm", names)
        return tuple(sorted({of_run for _, _, of_run in known}))

    def release(self, me: str, run: str, status: str) -> Program:
        """Close the run, on proof: what the state names by now is terminated too, however late it appeared."""
        named = None
        while True:
            seen, _ = yield ("get",)
            if seen is None or seen.run != run:
                return "already released"
            if self.safe.close_only_what_was_proved and seen.instance is not None and seen.instance != named:
                named = seen.instance
                yield from self.end_instances(me, run, named)
                continue
            try:
                yield from self.close(me, seen, status)
            except (Fenced, Active):
                if not self.safe.close_only_what_was_proved:
                    return "fenced"
                continue
            return "released"

    # The instance.

    def instance(self, me: str, run: str) -> Program:
        seen, _ = yield ("get",)
        if self.safe.boot_claim:
            if seen is None or seen.run != run:
                return "must not work"
            try:
                seen = yield from self.update(me, seen, ("claim", me))
            except Fenced:
                return "must not work"
        elif seen is None:
            return "must not work"
        yield ("work", True)
        try:
            seen = yield from self.update(me, seen, ("step", 1))
            yield ("result", run)
            seen = yield from self.update(me, seen, ("finish", KILLED if seen.kill else COMPLETED))
            yield ("work", False)
            yield from self.delete(seen)
        except (Fenced, Active):
            return "fenced"
        return "ended"

"""Actors that run the real code, one request at a time: the test is their scheduler: it says who is next and what happens.

Each actor is a thread that stops before every request on the wire. So every interleaving of the real, blocking code can
be chosen, and run again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core.cas import ConditionalObject, Lost
from chronos_training.core.errors import TrainingError
from chronos_training.core.states import FINAL, STEPS, check_transition
from chronos_training.core.wire import Answer, Unseen, Version

CRASH = "crash"
FAULTS = ("lost before", "lost after", "late", "twice", "409", "412", "404", "503", "403")


class Crash(BaseException):
    """The actor's process is gone. A BaseException: no code under test may catch and survive it."""


@dataclass
class Server:
    """The one object. Keeps S3's conditions, and checks the invariants at every change that it commits."""

    body: bytes | None = None
    committed: list[tuple[str, bytes]] = field(default_factory=list)  # who, what
    deleted: dict[str, str] = field(default_factory=dict)  # ETag -> who
    fenced: set[str] = field(default_factory=set)
    late: list[Callable[[], Answer]] = field(default_factory=list)

    @staticmethod
    def tag(body: bytes | None) -> str | None:
        return None if body is None else hashlib.md5(body, usedforsecurity=False).hexdigest()

    def put(self, who: str, body: bytes, etag: str | None) -> Answer:
        if self.tag(self.body) != etag:
            return Answer.NOT_FOUND if self.body is None else Answer.PRECONDITION_FAILED
        self._check(who, body)
        self.body = body
        self.committed.append((who, body))
        return Answer.DONE

    def delete(self, who: str, etag: str | None) -> Answer:
        if self.body is None:
            return Answer.NOT_FOUND
        if etag is not None and self.tag(self.body) != etag:
            return Answer.PRECONDITION_FAILED
        self.deleted[str(self.tag(self.body))] = who
        self.body = None
        return Answer.DONE

    def _check(self, who: str, body: bytes) -> None:
        assert who not in self.fenced, f"{who} was fenced, and wrote again"
        new = json.loads(body)
        if self.body is None:
            return
        old = json.loads(self.body)
        assert old["run_id"] == new["run_id"], f"{who} replaced the state of another run"
        assert old["status"] not in FINAL, f"{who} changed a final status"
        check_transition(old["status"], new["status"])
        assert new["sequence"] > old["sequence"], "the sequence does not grow"
        if old["current_step"]:
            assert STEPS.index(new["current_step"]) >= STEPS.index(old["current_step"]), "a step went back"
        if old["claimed_at"]:
            assert old["instance_id"] == new["instance_id"], "the run was claimed by a second instance"


class ScheduledWire:
    """`Wire` of one actor: every request waits for its turn, which may be a fault."""

    url, refusal = "s3://bucket/local/system-state.json", ""

    def __init__(self, server: Server, actor: Actor) -> None:
        self._server, self._actor = server, actor

    def get(self) -> Version | None:
        fault = self._actor.turn("get")
        if fault == "403":
            raise TrainingError("denied")
        if fault is not None:
            raise Unseen("no answer")
        body = self._server.body
        return None if body is None else Version(body, str(self._server.tag(body)), 0.0)

    def put(self, body: bytes, etag: str | None) -> tuple[Answer, str]:
        return self._send("put", lambda: self._server.put(self._actor.name, body, etag)), str(self._server.tag(body))

    def delete(self, etag: str) -> Answer:
        return self._send("delete", lambda: self._server.delete(self._actor.name, etag))

    def _send(self, what: str, act: Callable[[], Answer]) -> Answer:
        fault = self._actor.turn(what)
        if fault in {"409", "412", "404", "503", "403"}:
            return {
                "409": Answer.CONFLICT,
                "412": Answer.PRECONDITION_FAILED,
                "404": Answer.NOT_FOUND,
                "503": Answer.UNKNOWN,
                "403": Answer.DENIED,
            }[fault]
        if fault == "late":
            self._server.late.append(act)
        if fault in {"late", "lost before"}:
            return Answer.UNKNOWN
        if fault == "twice":  # the network repeats the request; the first answer is lost
            act()
        answer = act()
        return Answer.UNKNOWN if fault == "lost after" else answer


class CheckedObject(ConditionalObject):
    """The real primitive; what it acknowledges is compared with what the server committed."""

    def __init__(self, server: Server, actor: Actor) -> None:
        super().__init__(ScheduledWire(server, actor), attempts=4, sleep=lambda seconds: None, rng=lambda: 0.5)
        self._server, self._actor = server, actor

    def write(self, body: bytes, etag: str | None) -> Version:
        try:
            version = super().write(body, etag)
        except Lost as lost:
            assert lost.current is None or bytes(lost.current.body) != body, (
                f"{self._actor.name}: told that its own write lost"
            )
            raise
        assert version.body == body and (self._actor.name, body) in self._server.committed, (
            f"{self._actor.name}: a write was acknowledged that was never committed"
        )
        return version

    def delete(self, etag: str) -> None:
        before = self._server.tag(self._server.body)
        super().delete(etag)
        assert etag in self._server.deleted, f"a delete of {etag} was acknowledged, {before} was stored"


class Actor:
    """One thread of real code. `outcome` is what it returned, or the exception that ended it."""

    def __init__(self, name: str, server: Server, program: Callable[[Any], Any]) -> None:
        """`program` gets this actor; it begins with the first step."""
        self.name, self.server = name, server
        self.waits_on: str | None = "begin"
        self.outcome: Any = None
        self.working = False
        self._fault: str | None = None
        self._crash = False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(program,), daemon=True, name=name)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self.waits_on is not None

    def object(self) -> CheckedObject:
        return CheckedObject(self.server, self)

    def step(self, fault: str | None = None) -> None:
        """Let the actor do its request, under `fault`, and go on to the next one."""
        self._fault = fault
        self._go.release()
        assert self._stopped.acquire(timeout=120), f"{self.name} is stuck"
        if isinstance(self.outcome, AssertionError):
            raise self.outcome

    def crash(self) -> None:
        """End the actor where it stands."""
        if self.alive:
            self._crash = True
            self.step()

    def finish(self) -> Any:
        """Let the actor go on alone, without faults, to its end."""
        while self.alive:
            self.step()
        return self.outcome

    # What the thread calls.

    def turn(self, what: str) -> str | None:
        self._wait(what)
        return self._fault

    def _wait(self, what: str) -> None:
        self.waits_on = what
        self._stopped.release()
        self._go.acquire()
        if self._crash:
            raise Crash

    def _run(self, program: Callable[[Any], Any]) -> None:
        self._go.acquire()
        try:
            self.outcome = "crashed" if self._crash else program(self)
        except Crash:
            self.outcome = "crashed"
        except BaseException as error:
            self.outcome = error
        self.working = False
        self.waits_on = None
        self._stopped.release()

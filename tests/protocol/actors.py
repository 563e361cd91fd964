"""What the actors do: the commands' and the instance's use of the state store, with the real store and reporter."""

from __future__ import annotations

from typing import Any

from chronos_training.agent.reporter import Reporter
from chronos_training.core.record import RunRecord
from chronos_training.core.states import COMPLETED, FAILED, FINAL, LOST, STARTING, STEPS
from chronos_training.core.store import Fenced, Observed, RunActive, StateStore

from .step_scheduler import Actor

NOW = "2026-01-01T12:00:00Z"


def record(run_id: str, owner: str) -> RunRecord:
    return RunRecord("local", run_id, owner, STARTING, NOW, NOW, NOW, client_token=f"token-{run_id}")


def _remove(store: StateStore, actor: Actor, observed: Observed) -> None:
    store.remove(observed)
    mine = {etag for etag, who in actor.server.deleted.items() if who == actor.name}
    assert mine <= {observed.etag}, "a delete removed another version than the one observed"


def launch(run_id: str, instances: list[str]) -> Any:
    """Acquire, intent, "RunInstances" (appends to `instances`), attach; gives the lock back when that fails."""

    def program(actor: Actor) -> str:
        store = StateStore(actor.object())
        try:
            seen = store.acquire(record(run_id, actor.name))
        except RunActive as active:
            assert active.observed.record.owner, "the loser is told who holds it"
            return "refused"
        try:
            seen = store.update(seen, lambda r: r.evolve(attempt=r.attempt))
            instances.append(run_id)
            store.update(seen, lambda r: r.evolve(instance_id=r.instance_id or f"i-{run_id}"))
        except Fenced:
            actor.server.fenced.add(actor.name)
            return "fenced"
        return "launched"

    return program


def work(run_id: str, instance_id: str, status: str = COMPLETED) -> Any:
    """Claim, the five steps, the final status, release: with the real reporter, without its thread."""

    def program(actor: Actor) -> str:
        store = StateStore(actor.object())
        try:
            observed = store.claim(run_id, instance_id)
            actor.working = True
            reporter = Reporter(store, observed, 30.0, lambda: None)
            for step in STEPS:
                reporter.begin(step)
                if reporter.fenced.is_set():
                    raise Fenced("told by the reporter")
                if reporter.kill.is_set():
                    break
            final = store.finish(reporter.observed, status, None, steps=reporter.steps)
            actor.working = False
            _remove(store, actor, final)
        except Fenced:
            actor.server.fenced.add(actor.name)
            return "fenced"
        except RunActive:
            return "released by somebody else"
        return "ended"

    return program


def ask_to_stop(actor: Actor) -> str:
    """`kill` with a grace time: the request only."""
    store = StateStore(actor.object())
    observed = store.read()
    if observed is None:
        return "nothing to kill"
    try:
        store.request_kill(observed, actor.name)
    except Fenced:
        return "ended by itself"
    return "asked"


def end_by_watcher(run_id: str) -> Any:
    """The watcher's way: a final status from outside the pipeline, then the release."""

    def program(actor: Actor) -> str:
        store = StateStore(actor.object())
        observed = store.read()
        if observed is None or observed.record.run_id != run_id:
            return "not ours"
        try:
            if observed.record.status not in FINAL:
                observed = store.finish(observed, FAILED, "The pipeline died.")
            _remove(store, actor, observed)
        except Fenced:
            actor.server.fenced.add(actor.name)
            return "fenced"
        except RunActive:
            return "released by somebody else"
        return "ended"

    return program


def take_over(terminate: Any, status: str = LOST) -> Any:
    """Read, terminate what belongs to the run and see it dead, then close the version that was read."""

    def program(actor: Actor) -> str:
        store = StateStore(actor.object())
        observed = store.read()
        if observed is None:
            return "free"
        terminate(observed.record.run_id)
        try:
            if observed.record.status not in FINAL:
                observed = store.finish(observed, status, "The run was lost.", only_this_version=True)
            _remove(store, actor, observed)
        except (Fenced, RunActive):
            return "somebody else was there"
        return "taken over"

    return program

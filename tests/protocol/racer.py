"""Many processes that race for the lock, round after round, over the real client and a real server.

The processes live through all rounds (starting one costs more than a round); a barrier lines them up before each.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from chronos_training.core.cas import ConditionalObject
from chronos_training.core.record import RunRecord
from chronos_training.core.states import STARTING
from chronos_training.core.store import RunActive, StateStore
from chronos_training.core.wire import S3Wire

NOW = "2026-01-01T12:00:00Z"
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Turn:
    """One process in one round: its own run and owner, and whom it was told to hold the lock (itself: it won)."""

    run_id: str
    owner: str
    holder_run: str
    holder_owner: str
    message: str

    @property
    def won(self) -> bool:
        return not self.message


def race(endpoint: str, bucket: str, processes: int, rounds: int) -> list[list[Turn]]:
    """Return the turns of each round, one for each process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.protocol.racer", "tests.protocol.servers", "boto3", "botocore.client"])
    barrier = context.Barrier(processes)
    results: Any = context.SimpleQueue()
    racers = [
        context.Process(target=_racer, args=(endpoint, bucket, number, rounds, barrier, results), daemon=True)
        for number in range(processes)
    ]
    for racer in racers:
        racer.start()
    try:
        turns = [results.get() for _ in racers]
    finally:
        for racer in racers:
            racer.join(timeout=60)
            if racer.is_alive():
                racer.kill()
    failed = [turn for turn in turns if isinstance(turn, str)]
    assert not failed, failed[0]
    return [list(turn) for turn in zip(*turns, strict=True)]


def _racer(endpoint: str, bucket: str, number: int, rounds: int, barrier: Barrier, results: Any) -> None:
    from tests.protocol.servers import client

    try:
        s3 = client(endpoint)
        results.put([_turn(s3, bucket, number, turn, barrier) for turn in range(rounds)])
    except BaseException as error:  # the others wait at the barrier: break it, so that all end
        barrier.abort()
        results.put(f"process {number}: {type(error).__name__}: {error}")


def _turn(s3: Any, bucket: str, number: int, turn: int, barrier: Barrier) -> Turn:
    # A key for each round: the winner's lock stays, so that even the slowest loser is told who holds it.
    store = StateStore(ConditionalObject(S3Wire(s3, bucket, f"race-{turn}/system-state.json")))
    run_id, owner = (
        f"{20260101 + turn // 1000:08d}-{turn % 1000:03d}{number:03d}",
        f"racer-{number}@host (pid {number})",
    )
    record = RunRecord("local", run_id, owner, STARTING, NOW, NOW, NOW, client_token=f"token-{number}-{turn}")
    barrier.wait(PATIENCE_SECONDS)
    try:
        winner, message = store.acquire(record).record, ""
    except RunActive as active:
        winner, message = active.observed.record, str(active)
    return Turn(run_id, owner, winner.run_id, winner.owner, message)

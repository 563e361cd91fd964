"""Processes race to acquire: one winner each round, and every loser is told who holds the lock."""

from __future__ import annotations

import time

import pytest

from local_aws.testing import EmbeddedAws
from tests.protocol.racer import race
from tests.protocol.summary import say


def one_winner_each_round(aws: EmbeddedAws, processes: int, rounds: int) -> None:
    aws.client("s3").create_bucket(Bucket="race")
    began = time.monotonic()
    played = race(aws.endpoint, "race", processes, rounds)
    seconds = time.monotonic() - began
    assert len(played) == rounds
    for turns in played:
        winners = [turn for turn in turns if turn.won]
        assert len(winners) == 1
        winner = winners[0]
        for turn in turns:
            assert (turn.holder_run, turn.holder_owner) == (winner.run_id, winner.owner)
            assert turn.won or (f"run {winner.run_id} of {winner.owner}" in turn.message)
    say(
        f"race: {processes} processes, {rounds} rounds in {seconds:.0f} s: one winner each round, "
        f"{rounds * (processes - 1):,} losers told who holds the lock, violations 0"
    )


def test_a_race_of_processes(aws: EmbeddedAws):
    one_winner_each_round(aws, 16, 20)


@pytest.mark.protocol
@pytest.mark.timeout(900)
def test_a_race_of_64_processes_over_500_rounds(aws: EmbeddedAws):
    one_winner_each_round(aws, 64, 500)

"""Measured margins, and signs of life that a wrong clock does not change."""

from __future__ import annotations

import os
import time

from chronos_training.agent import heartbeat
from chronos_training.agent.checkpoint_headroom import FIXED_SECONDS, CheckpointHeadroom, headroom_seconds


def test_unmeasured_it_is_a_share_of_the_run(tmp_path):
    assert headroom_seconds(tmp_path, 1000.0) == 100.0
    assert headroom_seconds(tmp_path, 43200.0) == 300.0


def test_measured_it_is_what_a_step_and_an_upload_take(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("chronos_training.agent.checkpoint_headroom.time.monotonic", lambda: now[0])
    headroom = CheckpointHeadroom(tmp_path)
    headroom.note(1, None)
    now[0] = 30.0
    headroom.note(2, 200.0)  # a step of 30 s, an upload of 200 s
    assert headroom_seconds(tmp_path, 43200.0) == FIXED_SECONDS + 2 * 230.0
    assert headroom_seconds(tmp_path, 400.0) == 100.0  # never more than a quarter


def test_without_an_upload_nothing_is_measured(tmp_path):
    headroom = CheckpointHeadroom(tmp_path)
    headroom.note(1, None)
    headroom.note(2, None)
    headroom.note(None, 3.0)
    assert headroom_seconds(tmp_path, 1000.0) == 100.0


def test_a_beat_is_young_whatever_the_clock_says(tmp_path):
    assert heartbeat.age(tmp_path) is None
    heartbeat.beat(tmp_path)
    os.utime(tmp_path / "heartbeat", (time.time() - 7200, time.time() - 7200))  # the clock was set right
    assert 0 <= heartbeat.age(tmp_path) < 60


def test_a_beat_that_cannot_be_written_ends_nothing(tmp_path):
    heartbeat.beat(tmp_path / "missing")
    assert heartbeat.age(tmp_path / "missing") is None

"""The watcher's look at a machine on which nothing moves any more: it reaches the switch."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from chronos_training.agent import watcher


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine 100 s after its boot whose state is gone; returns (its state folder, what was switched off)."""
    monkeypatch.setenv("INSTANCE_ROOT", str(tmp_path))
    paths = watcher.Paths.here()
    paths.state.mkdir(parents=True)
    paths.base.mkdir(parents=True)
    names = watcher.Run.__dataclass_fields__
    run = dict.fromkeys(names, 3600.0) | {
        "run_id": "20260101-000000",
        "env": "local",
        "bucket": "b",
        "region": "r",
        "instances": 1,
    }
    (paths.base / "run.json").write_text(json.dumps(run))
    (paths.state / "booted_at").write_text(str(time.monotonic() - 100))
    switched_off = []
    monkeypatch.setattr(watcher, "set_up_logging", lambda path: None)
    monkeypatch.setattr(watcher.machine, "power_off", lambda: switched_off.append(True))
    monkeypatch.setattr(watcher.machine, "end_by", lambda seconds: None)
    monkeypatch.setattr(watcher.signal, "alarm", lambda seconds: None)
    monkeypatch.setattr(watcher.wrong_clock, "correct_when_refused", lambda: None)
    monkeypatch.setattr(watcher, "_spot_notice", lambda: False)

    class Gone:
        def read(self):
            return None

    class Shipper:
        def ship(self):
            pass

    monkeypatch.setattr(watcher, "open_store", lambda *given, **named: Gone())
    monkeypatch.setattr(watcher, "log_shipper", lambda *given: Shipper())
    monkeypatch.setattr(watcher.aws, "client", lambda *given, **named: None)
    return paths.state, switched_off


def test_a_pipeline_that_died_between_its_last_note_and_the_switch(machine):
    state, switched_off = machine
    (state / "ended").touch()
    watcher.main()
    assert switched_off == [True]


def test_a_pipeline_that_has_not_started_yet_is_given_time(machine):
    _, switched_off = machine
    watcher.main()
    assert switched_off == []


def test_a_pipeline_that_never_started_does_not_keep_the_machine_until_its_deadline(machine):
    state, switched_off = machine
    (state / "booted_at").write_text(str(time.monotonic() - watcher.START_PATIENCE_SECONDS - 1))
    watcher.main()
    assert switched_off == [True]


def test_after_a_restart_of_the_machine_nothing_is_waited_for(machine):
    state, switched_off = machine
    (state / "booted_at").unlink()  # /run is empty again, the agent is on the disk
    watcher.main()
    assert switched_off == [True]


def test_a_pipeline_that_starts_during_the_look_has_not_died(machine, monkeypatch):
    """On several instances the look asks for the launch index, which takes its time."""
    state, switched_off = machine
    file = watcher.Paths.here().base / "run.json"
    run = json.loads(file.read_text()) | {"instances": 2}
    file.write_text(json.dumps(run))

    pipeline = subprocess.Popen(["sleep", "60"])

    def launch_index(folder):
        (state / "pipeline.pid").write_text(str(pipeline.pid))
        return 1

    monkeypatch.setattr(watcher.machine, "launch_index", launch_index)
    try:
        watcher.main()
        assert switched_off == []
        assert pipeline.poll() is None
    finally:
        pipeline.kill()
        pipeline.wait()

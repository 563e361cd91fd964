"""The switch: the gentlest way that works, and no way that hangs is waited for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chronos_training.agent import machine


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Return a function that installs a command; what is called is written to the file `called`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(machine, "SWITCH_SECONDS", 0.5)

    def install(name, script):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/called\n{script}\n')
        program.chmod(0o755)

    install.called = lambda: (tmp_path / "called").read_text().splitlines()
    return install


def test_an_orderly_shutdown_is_enough(commands):
    commands("shutdown", "exit 0")
    commands("systemctl", "exit 0")
    machine.power_off()
    assert commands.called() == ["shutdown -h now"]


@pytest.mark.parametrize("trouble", ["exit 1", "exec sleep 60"])
def test_what_fails_or_hangs_is_followed_by_a_harder_switch(commands, trouble):
    commands("shutdown", trouble)
    commands("systemctl", f'[ "$#" -eq 3 ] || {{ {trouble}; }}')
    machine.power_off()
    assert commands.called() == ["shutdown -h now", "systemctl poweroff --force", "systemctl poweroff -f -f"]


def test_without_any_switch_nothing_is_raised(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")  # nobody: EC2 cannot be asked either
    machine.power_off()


def test_a_process_that_hangs_is_ended_by_its_own_last_resort(tmp_path, commands):
    commands("shutdown", "exit 0")
    program = "import time; from chronos_training.agent import machine; machine.end_by(0.2); time.sleep(60)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        timeout=120,
    )
    assert done.returncode == 1
    assert commands.called() == ["shutdown -h now"]

"""monitor_training.yml as a person sees it: in terminals of two widths, without colour, in a pipe; and its exit codes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chronos_training.core.clock import iso, utc_now
from chronos_training.core.run_spec import InstanceSpec
from chronos_training.core.states import COMPLETED, FAILED, RUNNING
from tests.policies import Deployment, people_policy
from tests.run_specs import run_spec

from .lock_account import BUCKET, ENV, REGION, ROOT, RUN, LockAccount

BIN = Path(sys.executable).parent
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
REDRAWN = re.compile(r"\x1b\[\d+A\r\x1b\[J")


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    """An account in which a run trains, and whose keys are those of somebody who only watches."""
    return LockAccount(aws, monkeypatch)


def training(step: int) -> dict[str, Any]:
    progress = {"phase": "training", "step": step, "total_steps": 1200, "loss": 3.7, "samples_per_second": 1494.0}
    return {**progress, "eta_seconds": 18.0}


class Command:
    """The playbook under way, with what it has written so far."""

    def __init__(self, account: LockAccount, columns: int | None, **environment: str) -> None:
        keys = account.aws.new_user(
            f"watcher{time.monotonic_ns()}", policy=people_policy("monitor", Deployment(BUCKET, ENV, region=REGION))
        )
        env = {**os.environ, **account.aws.env, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **environment}
        for prefix in ("AWS_", "LOCAL_AWS_"):
            env |= {
                f"{prefix}ACCESS_KEY_ID": keys["AccessKeyId"],
                f"{prefix}SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            }
        env |= {"PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        if "NO_COLOR" not in environment:
            env.pop("NO_COLOR", None)
        self.text = ""
        if columns is None:
            self._out, inside = os.pipe()
        else:
            self._out, inside = pty.openpty()
            fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        words = [str(BIN / "ansible-playbook"), "playbooks/monitor_training.yml", "-e", "training_monitor_interval=0.2"]
        self._process = subprocess.Popen(
            words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=inside, stderr=inside
        )
        os.close(inside)

    def wait_for(self, text: str) -> None:
        """Read until `text` was written; fails when the command ends before."""
        while text not in self.text:
            assert self._read(), self.text

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        os.close(self._out)
        return self._process.wait()

    def _read(self) -> bool:
        try:
            piece = os.read(self._out, 65536).decode()
        except OSError:  # how a terminal says that nobody writes to it any more
            return False
        self.text += piece.replace("\r\n", "\n")
        return bool(piece)


def finish(account: LockAccount, status: str, error: str | None = None) -> None:
    """The end of the run as the instance writes it: final status, archive, release."""
    observed = account.store.read()
    assert observed is not None
    final = account.store.finish(observed, status, error)
    account.put_json(RUN, "system-state.json", final.record.to_json())
    account.store.remove(final)


def a_run(account: LockAccount, command: Command, status: str, error: str | None = None) -> int:
    """Let the run train while it is watched, and end; return the command's exit code."""
    command.wait_for("369/1200")
    observed = account.store.read()
    assert observed is not None
    account.store.update(observed, lambda record: record.evolve(progress=training(1026)))
    command.wait_for("1026/1200")
    finish(account, status, error)
    return command.end()


def begin(account: LockAccount) -> None:
    """A run that was launched two minutes ago and trains."""
    account.put_json(RUN, "run_spec.json", run_spec(instance=InstanceSpec(price_per_hour_usd=1.0)).body())
    launched, now = iso(utc_now() - timedelta(seconds=120)), iso(utc_now())
    steps = {"initialization": {"started_at": launched, "ended_at": launched}, "training": {"started_at": launched}}
    times = {
        "created_at": launched,
        "deadline_at": iso(utc_now() + timedelta(hours=12, seconds=50)),
        "heartbeat_at": now,
    }
    instance = account.instance(account.tags(RUN))
    account.hold(
        status=RUNNING, instance_id=instance, current_step="training", steps=steps, progress=training(369), **times
    )


@pytest.mark.parametrize("columns", [80, 120])
def test_in_a_terminal_the_status_is_redrawn_and_fits(account: LockAccount, columns: int) -> None:
    begin(account)
    command = Command(account, columns)
    assert a_run(account, command, COMPLETED) == 0
    status, _, rest = REDRAWN.sub("\f", COLOUR.sub("", command.text)).rpartition("\f")
    drawn = [block.strip("\n").splitlines() for block in status.split("\f")[1:]]
    assert len(drawn) >= 1
    for block in drawn:
        assert len(block) <= (3 if columns == 80 else 2)
        assert all(len(line) < columns for line in block)
        words = "  ".join(line.strip() for line in block)
        for part in (
            f"{RUN}  3/5 training",
            "/1200",
            "loss 3.7000",
            "1494 samples/s",
            "18 s left",
            "so far",
            "heartbeat",
            # The end was written and the lock is not released yet: there is no deadline any more.
            *(() if "(completed)" in words else ("training for", "deadline")),
        ):
            assert part in words
    assert rest.startswith(f"  run {RUN}: completed\n")
    assert f"  {RUN}  1/5 initialization took 0 s\n" in COLOUR.sub("", command.text)
    assert COLOUR.search(command.text)


def test_no_color_leaves_out_colours_only(account: LockAccount) -> None:
    begin(account)
    command = Command(account, 80, NO_COLOR="1")
    assert a_run(account, command, COMPLETED) == 0
    assert not COLOUR.search(command.text)
    assert REDRAWN.search(command.text)


def test_in_a_pipe_there_is_one_line_a_change_as_it_happens(account: LockAccount) -> None:
    begin(account)
    command = Command(account, None)
    assert a_run(account, command, COMPLETED) == 0  # which waits for each line, so that none of them is held back
    assert "\x1b" not in command.text
    lines = [line for line in command.text.splitlines() if "3/5 training for" in line]
    assert [re.search(r"\d+/1200", line).group() for line in lines] == ["369/1200", "1026/1200"]  # type: ignore[union-attr]
    assert all("samples/s" in line and "heartbeat" in line for line in lines)


def test_a_terminal_that_can_nothing_gets_lines(account: LockAccount) -> None:
    begin(account)
    command = Command(account, 80, TERM="dumb")
    assert a_run(account, command, COMPLETED) == 0
    assert not REDRAWN.search(command.text)


def test_the_exit_code_tells_how_the_run_ended(account: LockAccount) -> None:
    begin(account)
    command = Command(account, None)
    assert a_run(account, command, FAILED, "The disk was full.") == 10
    assert f"FAILED: Monitor | Watch the run\n    Run {RUN} ended as failed: The disk was full." in command.text
    assert "changed=0 failed=1" in command.text
    assert "Traceback" not in command.text


def test_a_failure_that_is_not_the_runs_keeps_the_code_of_ansible(account: LockAccount) -> None:
    command = Command(account, None)
    assert command.end() == 2
    assert "No run is active in local, and there has never been one." in command.text

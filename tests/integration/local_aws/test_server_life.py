"""Starting, stopping and crashing: one server, and never a process left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from local_aws import processes
from local_aws.home import Home
from local_aws.testing import EmbeddedAws, wait_for
from tests.integration.local_aws.test_machine_life import RUN_SERVICE, cloud_config, script, unit

SLEEPER = cloud_config(
    write_files=[
        script("trap '' TERM; (setsid sleep 1000 &); echo ready; sleep 1000"),
        unit("run.service", RUN_SERVICE),
    ],
    runcmd=["systemctl start run"],
)


def daemons(home: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            ours = "local_aws.daemon" in process.cmdline() and process.environ().get("LOCAL_AWS_HOME") == str(home)
            if ours and processes.is_alive(process):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_five_starts_at_once_give_one_server_and_stop_leaves_nothing(run_cli, fresh_home: Path) -> None:
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: run_cli("start", home=fresh_home), range(5)))
    assert [result.returncode for result in results] == [0] * 5
    [endpoint] = {result.stdout.strip() for result in results}
    assert [result.stderr.split(";")[0] for result in results].count("Embedded AWS started") == 1
    assert len(daemons(fresh_home)) == 1
    assert endpoint.startswith("http://127.0.0.1:")
    listening = [c.laddr.ip for c in psutil.Process(daemons(fresh_home)[0]).net_connections() if c.status == "LISTEN"]
    assert set(listening) == {"127.0.0.1"}
    assert run_cli("endpoint", home=fresh_home).stdout.strip() == endpoint
    status = run_cli("status", home=fresh_home)
    assert endpoint in status.stdout
    stopped = run_cli("stop", home=fresh_home)
    assert stopped.stdout == "Embedded AWS stopped; nothing is left running.\n"
    assert daemons(fresh_home) == []
    assert run_cli("stop", home=fresh_home).stdout == "Embedded AWS was not running.\n"
    assert run_cli("status", home=fresh_home).returncode == 3
    assert run_cli("endpoint", home=fresh_home).returncode == 1


def test_stop_ends_every_machine(fresh_home: Path, machine_processes, run_cli) -> None:
    aws = EmbeddedAws(fresh_home)
    instances = [aws.launch(SLEEPER) for _ in range(2)]
    for instance in instances:
        aws.wait_for_console(instance, "ready")
    assert len(machine_processes(fresh_home)) >= 6
    assert run_cli("stop", home=fresh_home).returncode == 0
    assert machine_processes(fresh_home) == []
    assert daemons(fresh_home) == []
    assert run_cli("logs", instances[0], home=fresh_home).stdout.count("ready") == 1
    assert run_cli("reset", home=fresh_home).returncode == 0
    assert not fresh_home.exists()


def test_a_killed_daemon_takes_its_machines_along_and_the_next_start_says_that_they_are_gone(
    fresh_home: Path, machine_processes, run_cli
) -> None:
    aws = EmbeddedAws(fresh_home)
    instance = aws.launch(SLEEPER)
    aws.wait_for_console(instance, "ready")
    state = Home(fresh_home).state
    wait_for(lambda: any(instance.encode() in file.read_bytes() for file in state.glob("*.pickle")), "it to be on disk")
    os.kill(aws.server.pid, signal.SIGKILL)
    wait_for(lambda: not machine_processes(fresh_home), "the machines to end")
    assert run_cli("status", home=fresh_home).returncode == 3
    again = EmbeddedAws(fresh_home)
    assert again.server.pid != aws.server.pid
    assert again.state(instance) == "terminated"
    assert again.instance(instance)["StateReason"]["Code"] == "Server.InternalError"
    assert not (again.root(instance) / "opt").exists()


def test_a_killed_machine_counts_as_crashed_and_leaves_nothing(aws: EmbeddedAws, machine_processes) -> None:
    instance = aws.launch(SLEEPER, InstanceInitiatedShutdownBehavior="terminate")
    aws.wait_for_console(instance, "ready")
    [machine] = aws.machines()
    os.kill(machine["machine_pid"], signal.SIGKILL)
    aws.wait_for_state(instance, "terminated")
    assert machine_processes(aws.home) == []
    assert "the machine crashed" in aws.console(instance)
    assert aws.instance(instance)["StateReason"]["Code"] == "Server.InternalError"


def test_a_stale_server_file_is_noticed(fresh_home: Path) -> None:
    first = EmbeddedAws(fresh_home)
    text = Home(fresh_home).server_file.read_text()
    first.stop()
    # The number now belongs to another process: this one.
    Home(fresh_home).server_file.write_text(json.dumps(json.loads(text) | {"pid": os.getpid()}))
    second = EmbeddedAws(fresh_home)
    assert second.server.pid not in (os.getpid(), first.server.pid)
    assert processes.created_at(os.getpid()) is not None
    # Half a file, or one of an older version: the server that nobody can find by it is ended before a new one starts.
    Home(fresh_home).server_file.write_text("{")
    third = EmbeddedAws(fresh_home)
    assert daemons(fresh_home) == [third.server.pid]


def test_state_survives_between_processes_and_a_reset_empties_the_account(
    fresh_home: Path, run_cli, machine_processes
) -> None:
    aws = EmbeddedAws(fresh_home)
    aws.client("s3").create_bucket(Bucket="kept")
    run_cli("start", home=fresh_home)
    assert [bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]] == ["kept"]
    instance = aws.launch(SLEEPER)
    aws.wait_for_console(instance, "ready")
    aws.reset()
    assert aws.client("s3").list_buckets()["Buckets"] == []
    wait_for(lambda: not machine_processes(fresh_home), "machines of the reset account to end")


def test_it_does_not_inherit_files_and_survives_its_starter(fresh_home: Path, tmp_path: Path) -> None:
    """A starter that waits for its pipe to close (as `$(…)` does) must not wait for the daemon."""
    environment = os.environ | {"LOCAL_AWS_HOME": str(fresh_home)}
    words = [sys.executable, "-m", "local_aws", "start"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=True)
    with urllib.request.urlopen(done.stdout.strip() + "/_local_aws/health", timeout=60) as answer:
        pid = json.load(answer)["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert psutil.Process(pid).parent().pid != os.getpid()

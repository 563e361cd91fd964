"""Output that cannot be written: every command ends, says so once, and leaves nothing half-made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from local_aws.testing import wait_for

from .lock_account import ROOT, LockAccount
from .test_monitor_terminal import begin, training

BIN = Path(sys.executable).parent
LOST = "ERROR: The output could not be written: No space left on device."
pytestmark = pytest.mark.timeout(600)

# The first network is made slowly, and after it a line is said.
TWO_CHANGES = """
- name: Two networks
  hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.ec2_vpc_net: {name: first, cidr_block: 10.1.0.0/16}
    - amazon.aws.ec2_vpc_net: {name: second, cidr_block: 10.2.0.0/16}
"""


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> LockAccount:
    return LockAccount(aws, monkeypatch)


@pytest.fixture
def full() -> Iterator[IO[bytes]]:
    with open("/dev/full", "wb") as stream:
        yield stream


def start(account: LockAccount, playbook: str, *words: str, output: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, **account.aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    line = [str(BIN / "ansible-playbook"), playbook, *words]
    return subprocess.Popen(
        line, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True
    )


def test_a_launch_is_refused_before_anything_is_done(account: LockAccount, full: IO[bytes]) -> None:
    process = start(account, "playbooks/launch_training.yml", output=full)
    _, said = process.communicate()
    assert (process.returncode, said) == (
        1,
        "ERROR: The output could not be written: No space left on device. Nothing was done.\n",
    )
    assert account.store.read() is None and account.aws.client("ec2").describe_instances()["Reservations"] == []


def test_a_kill_is_worth_more_than_its_output(account: LockAccount, full: IO[bytes]) -> None:
    begin(account)
    process = start(account, "playbooks/kill_training.yml", "-e", "training_kill_force=true", output=full)
    _, said = process.communicate()
    assert process.returncode == 1 and len(said.splitlines()) == 1
    assert "The output could not be written: No space left on device. Continuing without it, because ending" in said
    assert account.store.read() is None
    (instance,) = [i for r in account.ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    assert instance["State"]["Name"] == "terminated"


def test_a_reader_who_goes_ends_what_only_watches_quietly(account: LockAccount) -> None:
    begin(account)
    process = start(
        account, "playbooks/monitor_training.yml", "-e", "training_monitor_interval=0.2", output=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    while "369/1200" not in process.stdout.readline():
        assert process.poll() is None
    process.stdout.close()
    observed = account.store.read()
    assert observed is not None
    account.store.update(observed, lambda record: record.evolve(progress=training(1026)))
    assert process.wait() == 141 and process.stderr.read() == ""


def test_what_changes_aws_is_finished_and_nothing_is_begun_after_it(account: LockAccount, tmp_path: Path) -> None:
    (tmp_path / "changes.yml").write_text(TWO_CHANGES)
    account.aws.fault("CreateVpc", delay=3)
    process = start(account, str(tmp_path / "changes.yml"), output=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    while "Two networks" not in process.stdout.readline():
        assert process.poll() is None
    wait_for(lambda: not account.aws.faults(), "the first change to begin", 60)
    process.stdout.close()
    assert process.wait() == 141 and process.stderr.read() == ""
    names = {tag["Value"] for vpc in account.ec2.describe_vpcs()["Vpcs"] for tag in vpc.get("Tags", [])}
    assert names == {"first"}


def test_the_embedded_aws_and_the_training_program_say_so_too(account: LockAccount, full: IO[bytes]) -> None:
    environment = {**os.environ, **account.aws.env}
    for words in (["-m", "local_aws", "endpoint"], ["-m", "chronos_training.cli", "--help"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
        assert (done.returncode, done.stderr) == (1, f"{LOST}\n"), words

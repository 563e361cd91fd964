"""Two hosts that share nothing but a network: the same training as on one, and a lost process costs time only.

Each host is a network namespace with its own addresses and loopback; a veth pair is the wire between them. The program
and the line that lets it go are those of an instance.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chronos_training.core.rendezvous import Rendezvous
from tests.training.conftest import command, environment, start, tiny, write_spec
from tests.training.test_ranks import losses, wait_for, weights, worker

TRAINING = {"steps": 8, "batch_size": 8, "log_every_steps": 1, "checkpoint_every_steps": 2, "validation_windows": 1}
LONG = {"steps": 200, "checkpoint_every_steps": 20, "log_every_steps": 20, "warmup_steps": 2, "keep_checkpoints": 3}
ADDRESSES = ("10.213.7.1", "10.213.7.2")
PORT = 29500


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Hosts:
    """The namespaces, and the processes started in them."""

    names: list[str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, spec: Path, data: Path, outputs: list[Path], leader: int = 0) -> list[subprocess.Popen[str]]:
        """Start the training on both; `leader` is the host that leads."""
        begun = []
        for number, (name, output) in enumerate(zip(self.names, outputs, strict=True)):
            output.mkdir(parents=True, exist_ok=True)
            with (output.parent / f"{output.name}.log").open("w") as log:
                words = [*command(spec, data, output), "--ready", str(output.parent / f"{output.name}.ready")]
                process = subprocess.Popen(
                    ["ip", "netns", "exec", name, *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment(),
                    text=True,
                )
            self.running.append(process)
            assert process.stdin is not None
            meeting = Rendezvous(f"{ADDRESSES[leader]}:{PORT}", ADDRESSES[number], leads=number == leader)
            process.stdin.write(meeting.to_line() + "\n")
            process.stdin.flush()
            begun.append(process)
        return begun

    def train(self, spec: Path, data: Path, outputs: list[Path], leader: int = 0) -> None:
        """Train to the end."""
        for process, output in zip(self.start(spec, data, outputs, leader), outputs, strict=True):
            assert process.wait(240) == 0, said(output)


def said(output: Path) -> str:
    return (output.parent / f"{output.name}.log").read_text()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need Linux, root and iproute2")
    names = [f"chronos-{os.getpid()}-{letter}" for letter in "ab"]
    made = Hosts(names)
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, ADDRESSES, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield made
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"no network namespaces here: {refused.stderr.decode().strip()}")
    finally:
        for process in made.running:
            process.kill()
            process.wait(30)
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def spec_of(folder: Path, instances: int, model: dict[str, Any], training: dict[str, Any]) -> Path:
    config = tiny(model=model, training=training)
    config = config.model_copy(update={"run": config.run.model_copy(update={"instances": instances})})
    return write_spec(folder / f"spec-{instances}.json", config)


# test_ranks shows the same for processes of one host, and tests/e2e/test_several_instances.py that two instances connect.
@pytest.mark.long
@pytest.mark.parametrize("leader", [0, 1])
def test_two_hosts_learn_what_one_learns_from_the_whole_batch(
    hosts: Hosts, data: Path, tmp_path: Path, leader: int
) -> None:
    still = {"dropout_rate": 0.0}  # with dropout each process draws its own masks
    done = start(spec_of(tmp_path, 1, still, TRAINING), data, tmp_path / "one")
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = [tmp_path / "a", tmp_path / "b"]
    hosts.train(spec_of(tmp_path, 2, still, TRAINING), data, outputs, leader)
    led, other = outputs[leader], outputs[1 - leader]
    # Equal to one process with the summed batch: had both drawn the same windows, it would be another loss.
    assert losses(led) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
    assert (led / "report.html").exists()
    # The head node alone writes results, wherever rank 0 is; the other has its copy of the checkpoints.
    assert {path.name for path in other.iterdir()} == {"checkpoints", "progress.json"}
    assert {path.name for path in (other / "checkpoints").iterdir()} == {"checkpoint-6", "checkpoint-8"}


@pytest.mark.long
def test_a_lost_process_and_a_resume_on_other_hosts_give_the_same_weights(
    hosts: Hosts, data: Path, tmp_path: Path
) -> None:
    spec = spec_of(tmp_path, 2, {"dropout_rate": 0.1}, LONG)
    whole, cut, later = ([tmp_path / name / "a", tmp_path / name / "b"] for name in ("whole", "cut", "later"))
    for outputs in (whole, cut, later):
        outputs[0].parent.mkdir()
    hosts.train(spec, data, whole)
    expected = weights(whole[0])

    processes = hosts.start(spec, data, cut)
    wait_for(lambda: list((cut[1] / "checkpoints").glob("checkpoint-[4-9]0")), processes[1])
    worker(processes[1], rank=1).kill()
    for process, output in zip(processes, cut, strict=True):
        assert process.wait(240) == 0, said(output)
    assert "resuming from checkpoint-" in said(cut[0])
    found = weights(cut[0])
    assert all((expected[name] == found[name]).all() for name in expected)

    # Elsewhere only the head node's files are there, without the generators of the other's processes; and one host has
    # more than the other, as after a loss between two moves.
    for step, targets in ((160, later), (180, later[:1])):
        for target in targets:
            shutil.copytree(whole[0] / f"checkpoints/checkpoint-{step}", target / f"checkpoints/checkpoint-{step}")
    hosts.train(spec, data, later)
    assert "resuming from checkpoint-160" in said(later[0])
    found = weights(later[0])
    assert all((expected[name] == found[name]).all() for name in expected)


def test_a_program_that_was_not_told_where_to_meet_says_so(data: Path, tmp_path: Path) -> None:
    done = start(spec_of(tmp_path, 2, {}, TRAINING), data, tmp_path / "o")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "was not told their rendezvous address" in done.stderr and "run.instances to 1" in done.stderr

"""A dataset to the instance, every sha256 checked, against s5cmd and the AWS CLI, which check nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronos_training.agent import s5cmd
from chronos_training.agent.data_sync import sync_dataset
from chronos_training.core.manifest import DataFile, Manifest, dataset_digest

from .storage import BUCKET, storage
from .table import Row, Section, Target

MB = 1_000_000
LINE = 625 * MB  # bytes a second: 5 Gbit/s, what a g4dn.xlarge has at all times (its 25 Gbit/s are bursts)
SHAPES = {
    "2,000 files of 150 KB": (2000, 150_000, None),
    "8 files of 40 MB": (8, 40 * MB, LINE),
    "8 files of 40 MB, no line": (8, 40 * MB, None),
}
ABOUT = """From the embedded S3 to an empty folder. Only ours compares each file's sha256 with the manifest's; it hashes while
other files arrive. Large files come over a line of 5 Gbit/s, which a g4dn.xlarge has at all times, and once more without
one: then they arrive at more than 1 GB/s from a server on the same two cores, and the hash (2 GB/s a core) is what is measured.
boto3 alone, with AWS's C client (awscrt 0.38), would be one program less. It took 1.66, 1.63 and 4.09 times as long as s5cmd, in
three rounds in turn on a busy machine, and 1.2 times was the limit: s5cmd stays."""


def measure(folder: Path, rounds: int) -> Section:
    """Take the three programs in turn, `rounds` times, for each shape."""
    section = Section("Data sync", ABOUT)
    with storage(folder) as (s3, program, server):
        for name, (count, size, line) in SHAPES.items():
            prefix = f"cached-datasets/{count}/"
            manifest = _upload(s3, program, folder / "source", prefix, count, size)
            ways: dict[str, Callable[[Path], None]] = {
                "ours, verified": lambda path, p=prefix, m=manifest: sync_dataset(  # type: ignore[misc]
                    s3, BUCKET, p, m, path, lambda done, total: None, program=program
                ),
                "s5cmd": lambda path, p=prefix: _s5cmd(s3, program, p, path),  # type: ignore[misc]
                "aws s3 sync": lambda path, p=prefix: _aws(p, path),  # type: ignore[misc]
            }
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            server.inject(network_bytes_per_second=line)
            for number in range(rounds):
                print(f"bench: data sync, {name}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                for way, run in ways.items():
                    target = folder / "target"
                    begun = time.monotonic()
                    run(target)
                    seconds[way].append(time.monotonic() - begun)
                    assert sum(1 for path in target.rglob("*") if path.is_file()) == count
                    shutil.rmtree(target)
            rows = {way: Row(f"{name}: {way}", values) for way, values in seconds.items()}
            section.rows += rows.values()
            ours = rows["ours, verified"].median
            section.targets.append(Target(f"{name}: ours / s5cmd", ours / rows["s5cmd"].median, 1.2))
            section.targets.append(Target(f"{name}: ours / aws s3 sync", ours / rows["aws s3 sync"].median, 1.0))
    return section


def _upload(s3: Any, program: Path, folder: Path, prefix: str, count: int, size: int) -> Manifest:
    folder.mkdir()
    files = []
    for number in range(count):
        content = os.urandom(size)
        path = f"{1990 + number // 12}/{number % 12 + 1:02}/part-{number}.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        files.append(DataFile(path, size, hashlib.sha256(content).hexdigest()))
    words = [str(program), "cp", f"{folder}/", f"s3://{BUCKET}/{prefix}"]
    subprocess.run(words, check=True, capture_output=True, env=s5cmd.variables(s3))
    shutil.rmtree(folder)
    digest = dataset_digest([{"path": file.path, "sha256": file.sha256} for file in files])
    return Manifest("bench", digest, tuple(files), {})


def _s5cmd(s3: Any, program: Path, prefix: str, path: Path) -> None:
    words = [str(program), "cp", f"s3://{BUCKET}/{prefix}*", f"{path}/"]
    if prefix.endswith("/8/"):
        words[2:2] = s5cmd.LARGE
    subprocess.run(words, check=True, capture_output=True, env=s5cmd.variables(s3))


def _aws(prefix: str, path: Path) -> None:
    program = Path(sys.executable).with_name("aws")
    words = [str(program), "s3", "sync", "--only-show-errors", f"s3://{BUCKET}/{prefix}", str(path)]
    subprocess.run(words, check=True, capture_output=True)

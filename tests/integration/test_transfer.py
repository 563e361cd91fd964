"""The instance's transfers against an S3 server, with the real s5cmd and without it."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path

import pytest

from chronos_training.agent import s5cmd, transfer
from chronos_training.agent.data_sync import sync_dataset
from chronos_training.agent.transfer import Wanted, fetch
from chronos_training.core import aws
from chronos_training.core.errors import DataError, TrainingError
from chronos_training.core.manifest import DataFile, Manifest

BUCKET, PREFIX = "transfers", "cached-datasets/panel/"
S5CMD = Path(str(distribution("s5cmd").locate_file("s5cmd/bin/s5cmd")))
ABSENT = Path("/no/such/s5cmd")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("chronos_training.agent.transfer.BACKOFF_SECONDS", 0.01)


@pytest.fixture
def data(s3):
    """Three published files, a manifest, and one file of an earlier publication."""
    bodies = {"2024/01/it's part-0.parquet": b"one" * 1000, "2024/02/part-0.parquet": b"two" * 70_000, "zero": b""}
    for path, body in {**bodies, "manifest.json": b"{}", "2023/12/stale.parquet": b"stale"}.items():
        s3.put_object(Bucket=BUCKET, Key=PREFIX + path, Body=body)
    return bodies


@pytest.fixture(params=["s5cmd", "boto3"])
def program(request, monkeypatch):
    """With s5cmd, and where the agent package has none."""
    if request.param == "s5cmd":
        return S5CMD
    monkeypatch.setattr(s5cmd, "program", lambda: None)
    return None


def manifest_of(bodies: dict[str, bytes]) -> Manifest:
    files = tuple(DataFile(path, len(body), hashlib.sha256(body).hexdigest()) for path, body in bodies.items())
    return Manifest("panel", "0" * 64, files, {})


def sync(s3, bodies, target, program, progress=lambda done, total: None):
    sync_dataset(s3, BUCKET, PREFIX, manifest_of(bodies), target, progress, program=program)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_exactly_the_published_files_arrive(s3, data, program, tmp_path, caplog):
    seen = []
    with caplog.at_level(logging.WARNING):
        sync(s3, data, tmp_path / "data", program, lambda done, total: seen.append((done, total)))
    assert files(tmp_path) == {f"data/{path}": body for path, body in data.items()}
    total = sum(map(len, data.values()))
    assert all(done <= total == of for done, of in seen)
    # The log says which of the two did the work.
    assert [record.message for record in caplog.records] == (
        [] if program else ["s5cmd is not in the agent package: downloading 3 files with boto3"]
    )


def test_files_with_the_same_content_all_arrive(s3, program, tmp_path):
    bodies = {f"{number}.csv": b"x,y\n1,2\n" for number in range(100)}
    for path, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=PREFIX + path, Body=body)
    sync(s3, bodies, tmp_path / "data", program)
    assert files(tmp_path / "data") == bodies


def test_what_is_there_and_right_is_not_fetched_again(s3, data, program, tmp_path):
    target = tmp_path / "data"
    sync(s3, data, target, program)
    right, wrong = target / "2024/02/part-0.parquet", target / "2024/01/it's part-0.parquet"
    before = right.stat().st_ino
    wrong.write_bytes(b"two" * 1000)
    s3.delete_object(Bucket=BUCKET, Key=PREFIX + "2024/02/part-0.parquet")
    sync(s3, data, target, program)
    assert files(target) == data
    assert right.stat().st_ino == before


def test_a_corrupt_file_is_named_with_both_hashes_and_gets_no_name(s3, data, program, tmp_path):
    s3.put_object(Bucket=BUCKET, Key=PREFIX + "2024/02/part-0.parquet", Body=b"bad")
    with pytest.raises(DataError) as error:
        sync(s3, data, tmp_path / "data", program)
    found, wanted = hashlib.sha256(b"bad").hexdigest(), hashlib.sha256(data["2024/02/part-0.parquet"]).hexdigest()
    said = f"Data file 2024/02/part-0.parquet is corrupt: its sha256 is {found}, the manifest says {wanted}."
    assert str(error.value).startswith(said)
    assert "2024/02/part-0.parquet" not in files(tmp_path / "data")


def test_a_missing_file_is_named(s3, data, program, tmp_path):
    s3.delete_object(Bucket=BUCKET, Key=PREFIX + "zero")
    with pytest.raises(DataError, match=r"Could not fetch s3://transfers/cached-datasets/panel/zero: "):
        sync(s3, data, tmp_path / "data", program)


def test_what_s5cmd_cannot_do_boto3_does(s3, data, tmp_path, caplog):
    """A program that ends with an error: here the one that every machine has."""
    with caplog.at_level(logging.WARNING):
        sync(s3, data, tmp_path / "data", Path("/bin/false"))
    assert files(tmp_path / "data") == data
    assert "s5cmd did not download everything (it said nothing): downloading 3 files with boto3 instead" in caplog.text


def test_a_program_that_hangs_is_ended(s3, data, tmp_path, monkeypatch, caplog):
    hanging = tmp_path / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(s5cmd, "STALL_SECONDS", 0.3)
    with caplog.at_level(logging.WARNING):
        sync(s3, data, tmp_path / "data", hanging)
    assert files(tmp_path / "data") == data
    assert "no data arrived for" in caplog.text


def test_a_stop_ends_the_transfer_at_once(s3, data, tmp_path):
    hanging = tmp_path / "hanging"
    hanging.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 600\n")
    hanging.chmod(0o755)

    class Stop(Exception):
        pass

    def progress(done, total):
        if (tmp_path / "pid").exists():
            raise Stop

    with pytest.raises(Stop):
        sync(s3, data, tmp_path / "data", hanging, progress)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert files(tmp_path / "data") == {}


def test_one_large_object(s3, program, tmp_path):
    body = os.urandom(20 << 20)
    s3.put_object(Bucket=BUCKET, Key="runtime/env", Body=body)
    wanted = Wanted("runtime/env", tmp_path / "env", len(body), hashlib.sha256(body).hexdigest())
    fetch(s3, BUCKET, [wanted], tmp_path / "fetching", program=program)
    assert (tmp_path / "env").read_bytes() == body
    with pytest.raises(transfer.Corrupt, match="runtime/env is corrupt"):
        fetch(s3, BUCKET, [replace(wanted, sha256="0" * 64)], tmp_path / "fetching", program=program)


def test_a_disk_that_is_too_small_is_said_before_anything_moves(s3, data, tmp_path):
    wanted = Wanted("runtime/env", tmp_path / "env", 1 << 60, "0" * 64)
    with pytest.raises(
        TrainingError, match=r"GB are free below .* must be downloaded\. Raise training_launch_volume_gb"
    ):
        fetch(s3, BUCKET, [wanted], tmp_path / "fetching", program=ABSENT)


def test_s5cmd_gets_credentials_region_and_endpoint_from_boto3(s3, server, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr(aws, "_session", None)
    given = {name: value for name, value in s5cmd.variables(s3).items() if name.startswith(("AWS_", "S3_"))}
    assert given == {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3_ENDPOINT_URL": server,
    }

"""The rendered user data as its readers take it: EC2 (size), cloud-init (its own schema), systemd (its own verifier)."""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import boto3
import jsonschema
import pytest
import yaml
from botocore.awsrequest import AWSResponse

from chronos_training.control.launch.launch_spec import LaunchSpec
from chronos_training.control.launch.run_instances import request_of
from chronos_training.control.options.settings import Settings
from chronos_training.core.errors import TrainingError
from local_aws.home import REPOSITORY_ROOT
from tests.protocol import whole_run
from tests.run_specs import run_spec

SCHEMA = "usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json"
CACHED = REPOSITORY_ROOT / ".cache/cloud-init" / Path(SCHEMA).name
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RUN = {
    "run_id": "20260101-120000",
    "env": "production",
    "project": "Chronos-Training",
    "bucket": "chronos-training-production-123456789012-ap-southeast-2",
    "region": "ap-southeast-2",
    "run_spec_key": "production/runs/2026/01/01-120000/run_spec.json",
    "run_spec_sha256": DIGEST,
    "agent_key": f"runtime/packages/{DIGEST}/chronos-training-agent.tar.gz",
    "agent_sha256": DIGEST,
    "instances": 16,
    "deadline_seconds": 43200.0,
    "poweroff_minutes": 735,
    "heartbeat_seconds": 30.0,
    "log_seconds": 10.0,
    "watch_seconds": 20.0,
}


# Bytes, compressed; EC2 takes 16,384. What is missing to that is room for what comes.
ROOM = 12288


@pytest.fixture(scope="module")
def user_data() -> str:
    return whole_run.user_data(RUN)


def order_with(user_data: str) -> LaunchSpec:
    """Return a launch order with this user data."""
    settings = Settings("production", "ap-southeast-2", "bucket", "vpc-1", ("subnet-1",), "sg-1", "profile")
    return LaunchSpec(run_spec(), settings, "Chronos-Training", "/dev/sda1", {}, user_data)


@pytest.fixture(scope="module")
def files(user_data) -> dict[str, str]:
    return {entry["path"]: entry["content"] for entry in yaml.safe_load(user_data)["write_files"]}


@pytest.fixture(scope="module")
def schema(tmp_path_factory) -> dict:
    """cloud-init's schema: of an installed one, of an earlier test run, or out of the distribution's package."""
    for path in (Path("/") / SCHEMA, CACHED):
        if path.exists():
            return json.loads(path.read_text())
    folder = tmp_path_factory.mktemp("package")
    problem = "no apt-get here"
    if shutil.which("apt-get"):
        fetched = subprocess.run(["apt-get", "download", "cloud-init"], cwd=folder, capture_output=True, text=True)
        problem = (fetched.stderr.strip().splitlines() or ["apt-get download gave nothing"])[-1]
        for package in folder.glob("cloud-init_*.deb"):
            unpacked = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
            with tarfile.open(fileobj=unpacked.stdout, mode="r|") as tar:
                for member in tar:
                    if member.name.endswith(SCHEMA):
                        CACHED.parent.mkdir(parents=True, exist_ok=True)
                        CACHED.write_bytes(tar.extractfile(member).read())
            unpacked.wait()
    if not CACHED.exists():
        pytest.skip(f"cloud-init's schema is not to be had, so nothing is checked against it: {problem}")
    return json.loads(CACHED.read_text())


def test_ec2_takes_it_and_there_is_room_for_more(user_data):
    assert user_data.startswith("#cloud-config\n")
    packed = order_with(user_data).packed_user_data
    assert gzip.decompress(packed).decode() == user_data
    assert packed == order_with(user_data).packed_user_data and packed[4:8] == bytes(4)  # no time of the packing in it
    assert len(packed) <= ROOM


def test_the_request_carries_it_compressed_and_as_base64(user_data):
    """What botocore sends, and AWS documents: base64 of the bytes."""
    ec2 = boto3.Session("key", "secret", region_name="eu-west-1").client("ec2")
    sent = []

    def answer(params, **_):
        sent.append(params["body"]["UserData"])
        return AWSResponse("", 200, {}, None), {"Instances": []}

    ec2.meta.events.register("before-call.ec2.RunInstances", answer)
    ec2.run_instances(**request_of(order_with(user_data), "m5.large", "subnet-1", "token"))
    assert gzip.decompress(base64.b64decode(sent[0])).decode() == user_data


def test_user_data_that_ec2_would_refuse_is_refused_before_anything_is_made():
    noise = base64.b64encode(random.Random(0).randbytes(20000)).decode()
    with pytest.raises(TrainingError, match=r"The user data has \d\d,\d{3} bytes compressed; EC2 takes 16,384"):
        order_with(noise)


def test_it_follows_cloud_inits_schema(user_data, schema):
    jsonschema.Draft4Validator(schema).validate(yaml.safe_load(user_data))


def test_the_schema_would_find_a_mistake(user_data, schema):
    wrong = yaml.safe_load(user_data)
    wrong["write_files"][0]["permission"] = wrong["write_files"][0].pop("path")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema).validate(wrong)


def verify(files: dict[str, str], folder: Path, *units: str) -> subprocess.CompletedProcess[str]:
    """Let systemd look at the units, whose programs lie in `folder` here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here, so the units are not checked by it")
    for path, content in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content.replace("ExecStart=/", f"ExecStart={folder}/"))
        target.chmod(0o755 if target.suffix == ".sh" else 0o644)
    own = folder / "etc/systemd/system"
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(own / unit) if "chronos" in unit else unit for unit in units)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{own}:"},
        capture_output=True,
        text=True,
        check=False,
    )


UNITS = (
    "chronos-training.service",
    "chronos-training-watcher.service",
    "chronos-training-watcher.timer",
    "poweroff.target",
)


def test_systemd_takes_the_units(files, tmp_path):
    done = verify(files, tmp_path, *UNITS)
    ours = [line for line in done.stderr.splitlines() if "chronos" in line or "poweroff" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize(
    ("unit", "wrong"),
    [
        ("chronos-training.service", "OOMPolicy=carry-on"),
        ("chronos-training-watcher.timer", "OnActiveSec=twenty"),
        ("poweroff.target.d/chronos-training.conf", "JobTimeoutAction=poweroff-at-once"),
    ],
)
def test_systemd_would_find_a_mistake(files, tmp_path, unit, wrong):
    path, name = f"/etc/systemd/system/{unit}", wrong.split("=")[0]
    changed = {**files, path: re.sub(rf"(?m)^{name}=.*$", wrong, files[path])}
    assert changed[path] != files[path]
    assert wrong.split("=")[1] in verify(changed, tmp_path, *UNITS).stderr


def test_an_ending_fits_between_the_limit_and_the_guard_that_asks_nobody(files):
    from chronos_training.agent import ending, pipeline, watcher
    from chronos_training.control.launch.limits import GUARD_MINUTES

    def seconds(unit: str, name: str) -> float:
        return float(re.search(rf"(?m)^{name}=(\d+)$", files[f"/etc/systemd/system/{unit}"])[1])

    look = RUN["watch_seconds"] + watcher.LOOK_SECONDS
    end = (
        watcher.DEATH_PATIENCE_SECONDS + pipeline.STOP_GRACE_SECONDS + ending.END_SECONDS + pipeline.LAST_RESORT_SECONDS
    )
    off = seconds("poweroff.target.d/chronos-training.conf", "JobTimeoutSec")
    assert look + end + off <= GUARD_MINUTES * 60
    # systemd's own bound of the watcher must not cut short what the watcher bounds itself.
    assert end < seconds("chronos-training-watcher.service", "TimeoutStartSec")
    # And a machine that goes down waits for the pipeline as long as that takes.
    assert pipeline.GOING_DOWN_SECONDS < seconds("chronos-training.service", "TimeoutStopSec") < off

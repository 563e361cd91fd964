"""An account with a bucket and settings but no network: what cleanup and lock need, made in a second, without Ansible."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from chronos_training.control.lifecycle.break_stale_lock import CONSISTENCY_SECONDS
from chronos_training.core import aws as core_aws
from chronos_training.core import layout
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.record import RunRecord
from chronos_training.core.store import Observed, StateStore, open_store

ROOT = Path(__file__).parents[2]
ENV, PROJECT, REGION = "local", "Chronos-Training", "us-east-1"
BUCKET = "chronos-training-local-123456789012-us-east-1"
RUN, OLD_RUN = "20260102-030405", "20260101-010101"
OTHER_REGION = "eu-central-1"
assert CONSISTENCY_SECONDS >= 60


def load_module(name: str) -> Any:
    """Return the module of library/ as Ansible's action plugin loads it."""
    spec = importlib.util.spec_from_file_location(f"library_{name}", ROOT / f"library/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class LockAccount:
    """One environment in the embedded AWS, and the modules as a playbook calls them."""

    def __init__(self, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        for name, value in aws.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(core_aws, "_session", None)
        self.s3, self.ec2, self.scheduler = (aws.client(name) for name in ("s3", "ec2", "scheduler"))
        self.s3.create_bucket(Bucket=BUCKET)
        settings = {"bucket": BUCKET, "vpc_id": "vpc-1", "subnet_ids": "subnet-1", "region": REGION}
        settings |= {"security_group_id": "sg-1", "instance_profile": "profile"}
        # Whatever else provisioning records; these tests do not launch.
        settings |= {
            "scheduler_role_arn": "arn:aws:iam::123456789012:role/r",
            "guard_role_arn": "arn:aws:iam::123456789012:role/r",
        }
        settings |= {"guard_queue_arn": "arn:aws:sqs:us-east-1:123456789012:q"}
        for name, value in settings.items():
            aws.client("ssm").put_parameter(Name=f"/chronos-training/{ENV}/{name}", Value=value, Type="String")
        self.lines: list[str] = []

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    @property
    def store(self) -> StateStore:
        return open_store(BUCKET, ENV, region=REGION)

    def cleanup(self, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        """Run module training_cleanup."""
        defaults = {"state": "verified", "env": ENV, "project": PROJECT, "region": REGION, "regions": []}
        return self._run("training_cleanup", defaults | {"wait_seconds": 0} | params, check_mode)

    def fix(self, **params: Any) -> dict[str, Any]:
        return self.cleanup(**{"state": "fixed", "wait_seconds": 20} | params)

    def lock(self, *, check_mode: bool = False, **params: Any) -> dict[str, Any]:
        """Run module training_lock."""
        defaults = {"state": "released", "env": ENV, "project": PROJECT, "region": REGION, "run_id": None}
        return self._run("training_lock", defaults | params, check_mode)

    def _run(self, name: str, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
        self.lines = []
        result: dict[str, Any] = load_module(name).run(params, check_mode=check_mode, emit=self.lines.append)
        return result

    # What people and runs make.

    def tags(self, run_id: str = OLD_RUN, *, env: str = ENV, project: str = PROJECT) -> list[dict[str, str]]:
        wanted = {"Project": project, "Environment": env} | ({"RunId": run_id} if run_id else {})
        return [{"Key": key, "Value": value} for key, value in wanted.items()]

    def spec(self, kind: str, tags: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    def instance(self, tags: list[dict[str, str]] | None = None) -> str:
        """Start an instance, its volume and interface tagged as a launch tags them."""
        tags = self.tags() if tags is None else tags
        kinds = ("instance", "volume", "network-interface")
        return str(self.aws.launch(TagSpecifications=[self.spec(kind, tags)[0] for kind in kinds]))

    def volume(self, tags: list[dict[str, str]] | None = None, region: str = REGION) -> str:
        made = self.aws.client("ec2", region=region).create_volume(
            AvailabilityZone=f"{region}a", Size=8, TagSpecifications=self.spec("volume", tags or self.tags())
        )
        return str(made["VolumeId"])

    def hold(self, run_id: str = RUN, **fields: Any) -> Observed:
        """Take the lock as a launch does."""
        now = iso(utc_now())
        record = RunRecord(
            **{
                "env": ENV,
                "run_id": run_id,
                "owner": "ann@laptop (pid 42)",
                "status": "starting",
                "created_at": now,
                "heartbeat_at": now,
                "deadline_at": now,
                "client_token": "t",
                **fields,
            }
        )
        return self.store.acquire(record)

    def terminate(self, instance_id: str) -> None:
        self.ec2.terminate_instances(InstanceIds=[instance_id])
        self.aws.wait_for_state(instance_id, "terminated")

    # What is there afterwards.

    def volumes(self, region: str = REGION) -> set[str]:
        return {v["VolumeId"] for v in self.aws.client("ec2", region=region).describe_volumes()["Volumes"]}

    def put_json(self, run_id: str, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=layout.run_prefix(ENV, run_id) + name, Body=body)

    def read(self, run_id: str, name: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=layout.run_prefix(ENV, run_id) + name)["Body"].read()
        return body

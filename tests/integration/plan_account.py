"""An account in which a launch can be planned: provisioned, with a dataset, an environment and a small published model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import yaml

from chronos_training.control.launch.plan import Plan, make_plan
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.data.prepare import prepare

BUCKET = "chronos-training-local-123456789012-us-east-1"
PARAMETERS = {
    "bucket": BUCKET, "vpc_id": "vpc-1", "security_group_id": "sg-1", "instance_profile": "p",
    "guard_role_arn": "arn:aws:iam::123456789012:role/g", "guard_queue_arn": "arn:aws:sqs:us-east-1:123456789012:q",
}  # fmt: skip
ZONES = ("us-east-1b", "us-east-1a")
IMAGE = "/image"


def pointer(kind: str) -> dict[str, Any]:
    return {
        "sha256": kind[0] * 64, "key": f"runtime/python-env/{kind}/env.tar.zst", "size": 10, "unpacked_size": 20,
        "image": None, "python": "3.11.7", "torch": "2.13.0+cpu", "packages": {}, "kind": kind,
    }  # fmt: skip


def make_account(s3: Any, folder: Path) -> None:
    """Provision, and publish what a run needs, in two zones whose order is not the alphabet's."""
    subnets = {s["AvailabilityZone"]: s["SubnetId"] for s in boto3.client("ec2").describe_subnets()["Subnets"]}
    parameters = PARAMETERS | {"subnet_ids": ",".join(subnets[zone] for zone in ZONES)}
    ssm = boto3.client("ssm")
    for name, value in parameters.items():
        ssm.put_parameter(Name=f"/chronos-training/local/{name}", Value=value, Type="String", Overwrite=True)
    name_image(boto3.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"])
    stamps = pd.date_range("2020-01-01", periods=200, freq="D")
    table = pd.DataFrame({"item_id": "a", "timestamp": stamps, "target": np.arange(200.0) % 7})
    table.to_csv(folder / "panel.csv", index=False)
    prepare(str(folder / "panel.csv"), "birthdays", folder / "dataset")
    put(s3, "cached-datasets/birthdays/manifest.json", (folder / "dataset/manifest.json").read_bytes())
    put(s3, "runtime/packages/current.json", {"sha256": "p" * 64, "key": "k", "version": "0.1.0"})
    put(s3, "runtime/python-env/current.json", pointer("chronos"))
    model = {
        "name": "little", "family": "chronos_bolt", "digest": "d" * 64, "prefix": "x/", "settings": {},
        "files": [{"path": "config.json", "size": 1, "sha256": "f" * 64}],
    }  # fmt: skip
    put(s3, "runtime/models/little/current.json", model)


def name_image(image_id: str) -> None:
    """Let the parameter IMAGE name this image."""
    boto3.client("ssm").put_parameter(Name=IMAGE, Value=image_id, Type="String", Overwrite=True)


def put(s3: Any, key: str, content: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content if isinstance(content, bytes) else json.dumps(content).encode())


def plan(folder: Path, config: str, sections: dict[str, Any], **changes: Any) -> Plan:
    """Plan a run of `config` with one's own `sections` laid over it; `changes` are of the request."""
    mine = folder / "mine.yaml"
    mine.write_text(yaml.safe_dump(sections))
    values: dict[str, Any] = {
        "env": "local", "region": "us-east-1", "project": "Chronos-Training", "config": config, "config_file": str(mine),
        "instance_types": ("m5.large",), "device": "cpu", "volume_gb": 20, "image_parameter": IMAGE, "price_per_hour": 0.0,
        "heartbeat_seconds": 2, "log_seconds": 5, "watch_seconds": 20, "git_commit": "unknown", "resume_run": None,
    }  # fmt: skip
    return make_plan(LaunchRequest(**(values | changes)))

"""An embedded account of the bench's own: provisioned, with what a launch looks for in the bucket, and no run.

The environment and the agent are named but not there: an instance that boots finds nothing to fetch and ends itself.
What is measured is over by then.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chronos_training.core import layout
from chronos_training.core.clock import iso, utc_now
from chronos_training.core.manifest import dataset_digest
from chronos_training.core.record import RunRecord
from chronos_training.core.states import RUNNING
from chronos_training.core.store import open_store
from local_aws.home import REGION, REPOSITORY_ROOT
from local_aws.testing import EmbeddedAws, wait_for
from tests.e2e.operator import BIN, Operator

ENV, DATASET = "local", "birthdays"
LAUNCH_DEFAULTS = REPOSITORY_ROOT / "roles/training_run/defaults/main.yml"
DIGEST = "0" * 64
Counts = Counter[str]


@dataclass(frozen=True)
class Timed:
    """One command: how long it took as a whole, in seconds, and how often it sent which request."""

    seconds: float
    requests: Counts


class TimedAccount:
    """The account, and commands in it that are timed and counted."""

    def __init__(self, folder: Path) -> None:
        """Start the account in `folder`, and provision it with the playbook."""
        self.folder, self.image = folder, yaml.safe_load(LAUNCH_DEFAULTS.read_text())["training_launch_image_parameter"]
        self.operator = Operator(EmbeddedAws(folder / "aws", "process"))
        self.aws, self.bucket = self.operator.aws, self.operator.bucket
        os.environ.update(self.aws.env)  # for the state store of this process
        self.operator.play("provision_infrastructure").succeeded()
        self._publish()

    def close(self) -> None:
        """End the account."""
        self.aws.stop()

    def play(self, playbook: str, *, stock: bool = False, **variables: Any) -> Timed:
        """Run a playbook, named by its path from the repository's root; SystemExit when it fails.

        `stock`: as Ansible runs modules where nobody has changed anything.
        """
        extra = ["-e", json.dumps(variables)] if variables else []
        settings = {"ANSIBLE_ACTION_PLUGINS": str(self.folder / "none")} if stock else {}
        return self._timed([str(BIN / "ansible-playbook"), playbook, *extra], **settings)

    def script(self, path: Path, *arguments: str) -> Timed:
        """Run a Python program."""
        return self._timed([str(BIN / "python"), str(path), *arguments])

    def _timed(self, words: list[str], **settings: str) -> Timed:
        environment = {**os.environ, **self.aws.env, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": "ansible.cfg", **settings}
        environment["PATH"] = f"{BIN}:{os.environ['PATH']}"
        environment.pop(
            "PYTHONDONTWRITEBYTECODE", None
        )  # only our code would be compiled each time, installed packages not
        self.aws.forget_requests()
        began = time.monotonic()
        done = subprocess.run(
            words, cwd=REPOSITORY_ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(f"bench: {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        counts: Counts = Counter()
        for row in self.aws.requests():
            if row["caller"] == "person":
                counts[row["operation"]] += row["count"]
        return Timed(seconds, counts)

    def active_run(self) -> None:
        """Have a run that trains and has just given a sign of life, on an instance that does nothing."""
        run_id, store = layout.new_run_id(utc_now()), open_store(self.bucket, ENV, region=REGION)
        tags = {"Project": "Chronos-Training", "Environment": ENV, "RunId": run_id}
        specification = {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        instance_id = self.aws.launch("#!/bin/sh\ntrue\n", TagSpecifications=[specification])
        now = iso(utc_now())
        record = RunRecord(
            ENV, run_id, "bench@here", RUNNING, now, now, now, client_token=run_id, instance_id=instance_id,
            claimed_at=now, current_step="training", steps={"training": {"started_at": now}},
            progress={"phase": "training", "step": 369, "total_steps": 1200, "loss": 3.7, "eta_seconds": 18},
        )  # fmt: skip
        store.acquire(record)

    def clear(self) -> None:
        """End every instance and forget every run."""
        ec2, s3, scheduler = self.operator.ec2, self.operator.s3, self.aws.client("scheduler")
        live = self.operator.live_instances()
        if live:
            ec2.terminate_instances(InstanceIds=live)
        wait_for(lambda: not self.aws.machines(), "the end of the instances")
        for key in self.operator.keys(f"{ENV}/"):
            s3.delete_object(Bucket=self.bucket, Key=key)
        for schedule in scheduler.list_schedules(GroupName=f"chronos-training-{ENV}")["Schedules"]:
            scheduler.delete_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])

    def _publish(self) -> None:
        """Name an environment, an agent and a dataset in the bucket, as their publication does."""
        files = [{"path": "1969/01/part-0.parquet", "size": 1, "rows": 372555, "sha256": DIGEST}]
        manifest = {
            "schema_version": 1, "name": DATASET, "freq": "D", "columns": {"target": "float"}, "item_id_column": "item_id",
            "timestamp_column": "timestamp", "target_columns": ["target"], "items": 51, "rows": 372555,
            "shortest_series": 7305, "longest_series": 7305, "digest": dataset_digest(files), "files": files,
        }  # fmt: skip
        environment = {
            "sha256": DIGEST, "key": layout.env_prefix(DIGEST) + "env.tar.zst", "size": 1, "unpacked_size": 1,
            "python": "3.11", "torch": "2.0+cpu",
        }  # fmt: skip
        agent = {"sha256": DIGEST, "key": layout.package_prefix(DIGEST) + "agent.tar.gz", "version": "0"}
        for key, content in {
            layout.dataset_manifest_key(DATASET): manifest,
            layout.env_current_key("chronos"): environment,
            layout.RUNTIME_PACKAGE_CURRENT: agent,
        }.items():
            self.operator.s3.put_object(Bucket=self.bucket, Key=key, Body=json.dumps(content).encode())

"""A whole run in a few seconds: the project's user data, agent and launch; only the training environment is a tiny one.

It is published like the real one, as an archive whose bin/python3 says that it is ready and "trains" in a second.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2

from chronos_training.control.publish.agent import ARCHIVE_NAME, agent_archive
from chronos_training.control.publish.packing import pack_folder
from chronos_training.core import layout
from chronos_training.core.manifest import dataset_digest
from chronos_training.core.run_spec import DatasetSpec, LimitsSpec, RuntimeSpec
from local_aws.home import REPOSITORY_ROOT
from tests.protocol.crash_account import BUCKET, TAGS, WINDOW, CrashAccount, Done, a_machine
from tests.run_specs import run_spec

USER_DATA = REPOSITORY_ROOT / "roles/instance_user_data"
PYTHON = """#!/bin/sh
# Stands for the training program: it says that its libraries are loaded, waits for the data, and trains for some seconds.
while [ $# -gt 0 ]; do
    [ "$1" = --output ] && output=$2
    [ "$1" = --ready ] && ready=$2
    shift
done
echo '{"torch": "2.0", "chronos": "2.0", "cuda_build": null, "cuda": false, "gpu": null}' >"$ready.partial"
mv "$ready.partial" "$ready"
read -r go || exit 1
mkdir -p "$output/checkpoints"
for step in 1 2 3 4; do
    echo "step $step"
    echo "{\\"phase\\": \\"training\\", \\"step\\": $step, \\"total_steps\\": 4}" >"$output/progress.json"
    sleep $(awk "BEGIN { print SECONDS_OF_TRAINING / 4 }")
done
echo weights >"$output/checkpoints/model.bin"
echo '{"model": "tiny"}' >"$output/model_metadata.json"
"""


@dataclass(frozen=True)
class Published:
    """What a run refers to."""

    agent: dict[str, str]
    environment: dict[str, Any]
    dataset: DatasetSpec


def publish(account: CrashAccount, seconds: float = 1.0) -> Published:
    """Put agent, tiny environment and a small dataset into the bucket."""

    def put(key: str, body: bytes) -> str:
        account.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return hashlib.sha256(body).hexdigest()

    agent = agent_archive(None)
    digest = hashlib.sha256(agent).hexdigest()
    agent_key = layout.package_prefix(digest) + ARCHIVE_NAME
    put(agent_key, agent)
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "tree/bin/python3"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON.replace("SECONDS_OF_TRAINING", str(seconds)))
        python.chmod(0o755)
        archive = Path(folder) / "env.tar.zst"
        packed = pack_folder(Path(folder) / "tree", archive)
        key = layout.env_prefix(packed.sha256) + "env.tar.zst"
        put(key, archive.read_bytes())
    environment = {"key": key, "sha256": packed.sha256, "size": packed.size, "unpacked_size": packed.unpacked_size}
    files = []
    for month in ("01", "02", "03"):
        body = f"rows of month {month}\n".encode() * 1000
        path = f"2024/{month}/part-0.parquet"
        files.append(
            {"path": path, "size": len(body), "rows": 1000, "sha256": put(layout.dataset_prefix("tiny") + path, body)}
        )
    manifest = {
        "schema_version": 1, "name": "tiny", "freq": "D", "columns": {}, "item_id_column": "item_id",
        "timestamp_column": "timestamp", "target_columns": ["target"], "items": 1, "rows": 3000,
        "shortest_series": 3000, "longest_series": 3000, "digest": dataset_digest(files), "files": files,
    }  # fmt: skip
    manifest_key = layout.dataset_manifest_key("tiny")
    put(manifest_key, json.dumps(manifest).encode())
    size = sum(entry["size"] for entry in files)
    dataset = DatasetSpec("tiny", manifest_key, str(manifest["digest"]), len(files), size, items=1, rows=3000)
    return Published({"agent_key": agent_key, "agent_sha256": digest}, {**environment, "torch": "2.0"}, dataset)


def launch(
    account: CrashAccount, published: Published, *, endpoint: str = "", deadline: float = 60.0, heartbeat: float = 1.0
) -> Done:
    """Launch the run as the playbook does, through `endpoint`."""
    run_id = account.new_run_id()
    instance = replace(a_machine(), request_prices_usd={"writes": 5e-6, "reads": 4e-7})
    spec = run_spec(
        run_id,
        training={"name": "tiny"},
        dataset=published.dataset,
        runtime=RuntimeSpec(published.environment),
        instance=instance,
        limits=LimitsSpec(deadline),
    )
    order, run = account.order_of(spec)
    run |= published.agent | {
        "deadline_seconds": deadline,
        "poweroff_minutes": 16,
        "heartbeat_seconds": heartbeat,
        "log_seconds": 2 if heartbeat < 30 else 10,
        "watch_seconds": 2 if heartbeat < 30 else 20,
    }
    return account.run("launch", endpoint=endpoint, order=order, tags=TAGS, user_data=user_data(run), window=WINDOW)


def user_data(run: dict[str, Any]) -> str:
    """Return the role's user data, rendered as Ansible does."""
    environment = jinja2.Environment(keep_trailing_newline=False, undefined=jinja2.StrictUndefined)
    environment.filters["to_nice_json"] = lambda value: json.dumps(value, indent=4, sort_keys=True)

    def lookup(kind: str, name: str) -> str:
        folder = "templates" if kind.endswith("template") else "files"
        text = (USER_DATA / folder / name).read_text(encoding="utf-8").rstrip("\n")
        return environment.from_string(text).render(instance_user_data_run=run) if folder == "templates" else text

    template = (USER_DATA / "templates/user_data.yaml.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(instance_user_data_run=run, lookup=lookup)


def wait_for_end(account: CrashAccount, timeout: float) -> bool:
    """Wait until no instance lives any more; return whether that came."""
    deadline = time.monotonic() + timeout
    while account.see().instances:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.3)
    return True

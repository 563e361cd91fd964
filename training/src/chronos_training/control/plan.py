"""Everything a launch decides before anything is created: configuration, data, environment, price, limits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tempfile
from pathlib import Path
from typing import Any

from chronos_training.config import (
    TrainingConfig,
    adopt,
    check_against_dataset,
    check_device,
    load_config,
    repository_config,
)
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.core import aws, layout
from chronos_training.core.clock import duration, iso, utc_now
from chronos_training.core.cost import REFERENCE_TYPE, HourlyPrice, hourly_price
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.objects import read_bytes

from .earlier_run import checkpoints_of_run, model_of_run, without_latest
from .order import GUARD_MINUTES
from .owner import owner
from .published import base_model, current_runtime, dataset_manifest
from .request import LaunchRequest
from .settings import Settings, resolve_settings

Json = dict[str, Any]
# What the instance is told of the environment; `image` is None where none was published.
_ENVIRONMENT = ("sha256", "key", "size", "unpacked_size", "image", "python", "torch", "packages")
_BASE_MODEL = ("name", "family", "digest", "prefix", "revision", "run_id", "files")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A launch that has passed every check. `run_spec_body` is stored as it is; its hash goes into the user data."""

    run_id: str
    settings: Settings
    request: LaunchRequest
    deadline_seconds: float
    price: HourlyPrice
    run_spec: Json
    run_spec_body: str
    agent: Json

    @property
    def run_spec_key(self) -> str:
        """Return the S3 key of the run spec."""
        return layout.run_prefix(self.request.env, self.run_id) + "run_spec.json"

    @property
    def instances(self) -> int:
        """Return how many instances the run has."""
        return int(self.run_spec["training"]["run"]["instances"])

    def instance_run(self) -> Json:
        """Return what the user data tells the instance (`run.json`)."""
        return {
            "run_id": self.run_id,
            "env": self.request.env,
            "project": self.request.project,
            "bucket": self.settings.bucket,
            "region": self.settings.region,
            "run_spec_key": self.run_spec_key,
            "run_spec_sha256": hashlib.sha256(self.run_spec_body.encode()).hexdigest(),
            "agent_key": self.agent["key"],
            "agent_sha256": self.agent["sha256"],
            "instances": self.instances,
            "deadline_seconds": self.deadline_seconds,
            "poweroff_minutes": math.ceil(self.deadline_seconds / 60) + GUARD_MINUTES,
            "heartbeat_seconds": self.request.heartbeat_seconds,
            "log_seconds": self.request.log_seconds,
            "watch_seconds": self.request.watch_seconds,
        }

    def order(self) -> Json:
        """Return what the launch needs beside tags and user data, as JSON; see `launch.LaunchOrder`."""
        return {
            "run_id": self.run_id,
            "env": self.request.env,
            "project": self.request.project,
            "region": self.settings.region,
            "bucket": self.settings.bucket,
            "instance_types": list(self.request.instance_types),
            "instances": self.instances,
            "subnet_ids": list(self.settings.subnet_ids),
            "security_group_id": self.settings.security_group_id,
            "instance_profile": self.settings.instance_profile,
            "guard_role_arn": self.settings.guard_role_arn,
            "guard_queue_arn": self.settings.guard_queue_arn,
            "image_parameter": self.request.image_parameter,
            "volume_gb": self.request.volume_gb,
            "deadline_seconds": self.deadline_seconds,
            "run_spec_key": self.run_spec_key,
            "run_spec_body": self.run_spec_body,
            "training_config": self.run_spec["training"],
            "owner": self.run_spec["launched_by"],
        }

    def lines(self) -> list[str]:
        """Return the plan for people, one line for each thing that matters."""
        spec = self.run_spec
        dataset, environment = spec["dataset"], spec["runtime"]["python_env"]
        worst = self.price.cost(self.deadline_seconds + GUARD_MINUTES * 60)
        many = f"{self.instances} x " if self.instances > 1 else ""
        return [
            f"run          {self.run_id} in {self.request.env}, bucket {self.settings.bucket}",
            f"model        {spec['training']['name']} on {self.request.device}, configuration {spec['config_sources'][-1]}",
            *_base_line(spec["base_model"]),
            *_resume_line(spec["resume"]),
            f"dataset      {dataset['name']}: {dataset['items']} series, {dataset['rows']:,} rows, {_size(dataset['bytes'])}",
            f"environment  torch {environment['torch']}, Python {environment['python']}, {_size(environment['size'])}, "
            f"sha256 {environment['sha256'][:12]}",
            f"instance     {many}{' or '.join(self.request.instance_types)}, {self.request.volume_gb} GB, {_price(self.price)}",
            f"limit        {duration(self.deadline_seconds)} from boot; worst case {_money(worst)}",
        ]


def make_plan(request: LaunchRequest) -> Plan:
    """Return the checked plan. Raises ConfigurationError, DataError or TrainingError; creates nothing."""
    settings = resolve_settings(request.env, region=request.region)
    if not settings.guard_role_arn or not settings.guard_queue_arn:
        raise ConfigurationError(
            f"Environment {request.env} has no outside guard yet (SSM lacks its guard_ parameters).",
            hint="Run playbooks/provision_infrastructure.yml for this inventory.",
        )
    s3 = aws.client("s3", region=settings.region)
    config, sources = _load(s3, settings.bucket, request)
    config = without_latest(config, s3, settings.bucket, request.env)
    kind = "autogluon" if config.model.family == "autogluon" else "chronos"
    environment, agent = current_runtime(s3, settings.bucket, request.env, kind)
    manifest = dataset_manifest(s3, settings.bucket, config.dataset.name)
    base = None
    if config.model.base is not None:
        base = base_model(s3, settings.bucket, config.model.base)
    elif config.model.base_run is not None:
        base = model_of_run(s3, settings.bucket, request.env, config.model.base_run)
    if base is not None:
        config = adopt(config, base)
    check_against_dataset(config, manifest.content)
    check_device(config, request.device)
    _check_build(request.device, environment)
    resume = None
    if request.resume_run:
        _check_resumable(config)
        fingerprint = Fingerprint(config, manifest.digest, base["digest"] if base else "")
        resume = checkpoints_of_run(s3, settings.bucket, request.env, request.resume_run, fingerprint)
    price = hourly_price(request.instance_types[0], request.volume_gb, request.price_per_hour, config.run.instances)
    now = utc_now()
    run_id = layout.new_run_id(now)
    spec = {
        "schema_version": 1,
        "run_id": run_id,
        "env": request.env,
        "created_at": iso(now),
        "launched_by": owner(),
        "git_commit": request.git_commit,
        "config_sources": sources,
        "device": request.device,
        "training": config.model_dump(mode="json"),
        "dataset": {
            "name": manifest.name,
            "manifest_key": layout.dataset_manifest_key(manifest.name),
            "digest": manifest.digest,
            "files": len(manifest.files),
            "bytes": manifest.total_bytes,
            "items": manifest.content["items"],
            "rows": manifest.content["rows"],
        },
        "base_model": {k: base.get(k) for k in _BASE_MODEL} if base else None,
        "resume": resume,
        "runtime": {
            "python_env": {k: environment.get(k) for k in _ENVIRONMENT},
            "package": {k: agent[k] for k in ("sha256", "key", "version")},
            "python_env_sha256": environment["sha256"],
            "package_sha256": agent["sha256"],
        },
        "instance": {
            "types": list(request.instance_types),
            "type": request.instance_types[0],
            "count": config.run.instances,
            "market": "on-demand",
            "volume_gb": request.volume_gb,
            "price_per_hour_usd": price.total,
            "price_date": price.date,
            "reference_type": REFERENCE_TYPE,
            "reference_price_per_hour_usd": hourly_price(REFERENCE_TYPE, 100).total,
        },
        "limits": {"deadline_seconds": config.run.max_runtime_hours * 3600},
    }
    body = json.dumps(spec, indent=2) + "\n"
    return Plan(run_id, settings, request, config.run.max_runtime_hours * 3600, price, spec, body, agent)


def _load(s3: Any, bucket: str, request: LaunchRequest) -> tuple[TrainingConfig, list[str]]:
    """Return the configuration and its sources, each laid over the one before: repository, bucket, one's own file."""
    own = repository_config(request.config)
    paths, sources = [own], [f"training/configs/{own.name}"]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".yaml", ".yml", ".json"):
            key = f"{request.env}/configs/{request.config}{suffix}"
            body = read_bytes(s3, bucket, key)
            if body is not None:
                path = Path(folder) / Path(key).name
                path.write_bytes(body)
                paths.append(path)
                sources.append(f"s3://{bucket}/{key}")
        if request.config_file:
            given = Path(request.config_file).expanduser()
            if not given.is_file():
                raise ConfigurationError(f"The configuration file {given} does not exist.")
            paths.append(given)
            sources.append(str(given))
        return load_config(paths), sources


def _check_build(device: str, environment: Json) -> None:
    if device == "cuda" and "+cpu" in str(environment["torch"]):
        raise ConfigurationError(
            f"training_launch_device is cuda, but the published environment has torch {environment['torch']}, a CPU build.",
            hint="Publish the runtime with a GPU build of torch, or set training_launch_device=cpu.",
        )


def _check_resumable(config: TrainingConfig) -> None:
    if config.model.family == "autogluon":
        raise ConfigurationError(
            "training_launch_resume_run: AutoGluon leaves no checkpoints to go on from.",
            hint="Start from a finished run's fine-tuned Chronos model (model.base_run), or launch anew.",
        )


def _base_line(base: Json | None) -> list[str]:
    if base is None:
        return []
    size = _size(sum(file["size"] for file in base["files"]))
    if base["run_id"]:
        return [f"starts from  the model of run {base['run_id']}: {base['family']}, {size}"]
    return [f"starts from  {base['name']}: {base['family']}, {size}, digest {base['digest'][:12]}"]


def _resume_line(resume: Json | None) -> list[str]:
    if resume is None:
        return []
    size = _size(sum(file["size"] for file in resume["files"]))
    return [f"goes on from step {resume['step']:,} of run {resume['run_id']}, {size}"]


def _size(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _money(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"${dollars:.2f}"


def _price(price: HourlyPrice) -> str:
    if price.total is None:
        return "price unknown (set training_launch_price_per_hour)"
    return f"${price.total:.3f}/h (prices: {price.date})"

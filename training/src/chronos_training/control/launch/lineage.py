"""What an earlier run left to start from: its finished model, or the checkpoints of an interrupted training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from chronos_training.base_models.pretrained import settings_of
from chronos_training.config import TrainingConfig
from chronos_training.config.fingerprint import Fingerprint
from chronos_training.control.registry.runs import checked_run_id, latest_run, stored_run_spec
from chronos_training.control.registry.summary import read_summary
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.manifest import DataFile, dataset_digest
from chronos_training.core.objects import read_bytes, read_json
from chronos_training.core.run_spec import ResumeSpec

Json = dict[str, Any]


def without_latest(config: TrainingConfig, s3: S3Client, bucket: str, env: str) -> TrainingConfig:
    """Return `config` with the run's id where model.base_run is "latest". ConfigurationError when there is none."""
    if config.model.base_run != "latest":
        return config
    found = latest_run(s3, bucket, env, config.name)
    if found is None:
        raise ConfigurationError(
            f"model.base_run: no run of {env} has left a recommended model {config.name} in s3://{bucket}/{layout.runs_prefix(env)}.",
            hint="Train the first model from random or published weights, or name a completed run. "
            f"The runs of {env}: {playbook(env, 'list_runs')}",
        )
    return config.model_copy(update={"model": config.model.model_copy(update={"base_run": found})})


def model_of_run(s3: S3Client, bucket: str, env: str, run_id: str) -> Json:
    """Return the model of a completed run in the form of a published one (see published.base_model).

    ConfigurationError when there is no such run, or it has not completed.
    """
    prefix = layout.run_prefix(env, run_id)
    done = read_json(s3, bucket, prefix + "training.json")
    about = read_summary(s3, bucket, env, run_id)
    if done is None or about is None or done.get("status") != "completed":
        raise ConfigurationError(
            f"model.base_run: run {run_id} of {env} has no finished model in s3://{bucket}/{prefix}.",
            hint=f"Name a completed run. The runs of {env}: {playbook(env, 'list_runs')}",
        )
    model = about.model
    if model["family"] == "autogluon":
        model = model["autogluon"]["chronos"]
        if model is None:
            raise ConfigurationError(
                f"model.base_run: run {run_id} fine-tuned no Chronos model, and no other AutoGluon model can be "
                "started from.",
                hint="Name a run with fine_tuned in autogluon.chronos.",
            )
    below = f"{model['path']}/"
    files = [
        {"path": one["path"].removeprefix(below), "size": one["size"], "sha256": one["sha256"]}
        for one in done["artifacts"]
        if one["path"].startswith(below)
    ]
    key = f"{prefix}{below}config.json"
    config = read_json(s3, bucket, key)
    if config is None:
        raise ConfigurationError(
            f"model.base_run: the model of run {run_id} is gone: s3://{bucket}/{key} does not exist."
        )
    return {
        "name": about.name,
        "family": model["family"],
        "digest": dataset_digest(files),
        "prefix": prefix + below,
        "revision": None,
        "run_id": run_id,
        "settings": settings_of(config),
        "files": files,
    }


def checkpoints_of_run(s3: S3Client, bucket: str, env: str, run_id: str, fingerprint: Fingerprint) -> ResumeSpec:
    """Return the whole checkpoints of a run, as the run spec names them.

    `fingerprint` belongs to the run that resumes. ConfigurationError when the earlier one learnt otherwise, which the
    instance would refuse too, or left no complete checkpoint.
    """
    spec = stored_run_spec(s3, bucket, env, checked_run_id(env, run_id))
    if spec is None:
        raise ConfigurationError(
            f"There is no run {run_id} in {env} to resume.",
            hint=f"The runs of {env}: {playbook(env, 'list_runs')}",
            code="run_not_found",
        )
    prefix = layout.checkpoint_prefix(env, run_id)
    files: list[DataFile] = []
    steps = []
    for folder in _folders(s3, bucket, prefix):
        found = _complete_checkpoint(s3, bucket, prefix + folder)
        if found is None:
            continue
        stored_fingerprint, parts = found
        if stored_fingerprint != fingerprint.digest:
            differing = ", ".join(fingerprint.differences(spec)[:5]) or "version of this program"
            raise ConfigurationError(
                f"Run {run_id} cannot be resumed: its {differing} differed at launch.",
                hint="Launch with its configuration, or start from its model (model.base_run).",
            )
        files += [replace(one, path=folder + one.path) for one in parts]
        steps.append(int(folder.strip("/").rsplit("-", 1)[1]))
    if not steps:
        raise ConfigurationError(
            f"Run {run_id} left no complete checkpoint in s3://{bucket}/{prefix}.", hint="Launch without resuming it."
        )
    return ResumeSpec(run_id, prefix, max(steps), tuple(files))


def _folders(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    with aws.explained(f"list s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        found = [one["Prefix"][len(prefix) :] for page in pages for one in page.get("CommonPrefixes", [])]
    return [folder for folder in found if folder.startswith("checkpoint-")]


def _complete_checkpoint(s3: S3Client, bucket: str, prefix: str) -> tuple[str, list[DataFile]] | None:
    """Return fingerprint and files of a complete checkpoint, its completion marker with them; None for an incomplete one."""
    key = prefix + layout.COMPLETION_MARKER
    body = read_bytes(s3, bucket, key)
    try:
        marker = json.loads(body or b"")
        files = [DataFile(name, one["size"], one["sha256"]) for name, one in marker["files"].items()]
        stored_fingerprint = str(marker["fingerprint"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    with aws.explained(f"list s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        there = {one["Key"][len(prefix) :]: one["Size"] for page in pages for one in page.get("Contents", [])}
    if body is None or any(there.get(one.path) != one.size for one in files):
        return None
    own = DataFile(layout.COMPLETION_MARKER, len(body), hashlib.sha256(body).hexdigest())
    return stored_fingerprint, [*files, own]

"""What is published in the bucket and ready for a run: environment, agent package, dataset, configurations."""

from __future__ import annotations

from typing import Any

from chronos_training import base_models
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import ConfigurationError, DataError
from chronos_training.core.manifest import Manifest, parse_manifest
from chronos_training.core.objects import read_bytes, read_json


class NotPublished(ConfigurationError):
    """The bucket does not have what a run needs; a command of ours puts it there."""

    code = "not_published"


def current_runtime(s3: S3Client, bucket: str, env: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the published environment of a kind, and the agent package. NotPublished when one is missing."""
    which = "No training environment" if kind == "chronos" else f"No environment of kind {kind}"
    variables = {} if kind == "chronos" else {"training_runtime_kind": kind}
    environment = _current(s3, bucket, env, layout.env_current_key(kind), which, **variables)
    return environment, _current(s3, bucket, env, layout.RUNTIME_PACKAGE_CURRENT, which, **variables)


def current_agent(s3: S3Client, bucket: str, env: str) -> dict[str, Any]:
    """Return the published agent package. NotPublished when there is none."""
    return _current(s3, bucket, env, layout.RUNTIME_PACKAGE_CURRENT, "No agent package")


def _current(s3: S3Client, bucket: str, env: str, key: str, which: str, **variables: str) -> dict[str, Any]:
    current: dict[str, Any] | None = read_json(s3, bucket, key)
    if current is None:
        raise NotPublished(
            f"{which} is published: s3://{bucket}/{key} does not exist.",
            hint=f"Run this first: {playbook(env, 'publish_runtime', **variables)}",
        )
    return current


def dataset_manifest(s3: S3Client, bucket: str, env: str, name: str) -> Manifest:
    """Return the manifest of the dataset. NotPublished with the published names when there is no such dataset."""
    key = layout.dataset_manifest_key(name)
    body = read_bytes(s3, bucket, key)
    if body is None:
        known = dataset_names(s3, bucket)
        raise NotPublished(
            f"dataset.name: {name!r} is not published in s3://{bucket}/{layout.DATASET_PREFIX}.",
            hint=f"Published: {', '.join(known) or 'none'}. Publish it: {playbook(env, 'publish_dataset', training_dataset_name=name)}",
        )
    manifest = parse_manifest(body, f"s3://{bucket}/{key}")
    if manifest.name != name:
        raise DataError(f"s3://{bucket}/{key} is the manifest of {manifest.name!r}, not of {name!r}.")
    return manifest


def dataset_names(s3: S3Client, bucket: str) -> list[str]:
    """Return the names of the published datasets."""
    return _names(s3, bucket, layout.DATASET_PREFIX)


def base_model(s3: S3Client, bucket: str, env: str, name: str) -> dict[str, Any]:
    """Return what is published as model `name` (its current.json). NotPublished with the names that there are.

    A model that comes with the package, `builtin:NAME`, is described in the same form: it travels with the agent package.
    """
    if base_models.is_builtin(name):
        return base_models.described(name)
    found = read_json(s3, bucket, layout.model_current_key(name))
    if found is None:
        known = _names(s3, bucket, layout.MODELS_PREFIX)
        raise NotPublished(
            f"model.base: {name!r} is not published in s3://{bucket}/{layout.MODELS_PREFIX}.",
            hint=f"Published: {', '.join(known) or 'none'}. Publish it: {playbook(env, 'publish_model', training_model_name=name)}",
        )
    return found


def _names(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    with aws.explained(f"list {prefix} in {bucket}"):
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [p["Prefix"][len(prefix) : -1] for p in answer.get("CommonPrefixes", [])]

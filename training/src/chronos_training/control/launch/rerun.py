"""Repeats a run from its own run spec: the same configuration, data, environment and weights to start from, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chronos_training.base_models import described, is_builtin
from chronos_training.config import TrainingConfig
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.registry.runs import checked_run_id
from chronos_training.core import aws, layout
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.objects import read_json

Json = dict[str, Any]


@dataclass(frozen=True)
class EarlierLaunch:
    """What a run was launched with: its run spec, whose parts are all still in the bucket."""

    run_id: str
    spec: Json

    @property
    def config(self) -> TrainingConfig:
        """Return its configuration, with the sizes of its base model and with a run's id where it said "latest"."""
        return TrainingConfig.model_validate(self.spec["training"])

    @property
    def environment(self) -> Json:
        """Return its Python environment, as the pointer to a published one describes it."""
        found: Json = self.spec["runtime"]["python_env"]
        return found

    @property
    def base(self) -> Json | None:
        """Return the weights that it started from, None for random ones."""
        found: Json | None = self.spec.get("base_model")
        return found

    def check_dataset(self, digest: str) -> None:
        """Raise ConfigurationError when the dataset that is published now has another `digest`."""
        dataset = self.spec["dataset"]
        if digest != dataset["digest"]:
            raise _gone(
                self.run_id,
                f"its dataset {dataset['name']} (digest {dataset['digest'][:12]}) is no longer in the bucket: "
                f"the dataset now published under that name has digest {digest[:12]}",
                "Publish the same data again, or launch with the configuration and the new data.",
            )


def check_repeat_alone(request: LaunchRequest) -> None:
    """Raise ConfigurationError when `request` also wants what a repetition does not have."""
    for value, name in (
        (request.resume_run, "training_launch_resume_run"),
        (request.config_file, "training_launch_config_file"),
    ):
        if value:
            raise ConfigurationError(
                f"training_launch_repeat_run takes everything from run {request.repeat_run}, so {name} cannot be set "
                "with it.",
                hint="Give one of the two.",
            )


def earlier_launch(s3: S3Client, bucket: str, env: str, run_id: str, device: str) -> EarlierLaunch:
    """Return what run `run_id` was launched with. ConfigurationError when it cannot be repeated on `device`."""
    key = layout.run_prefix(env, checked_run_id(env, run_id)) + "run_spec.json"
    spec = read_json(s3, bucket, key)
    if spec is None:
        raise ConfigurationError(
            f"There is no run {run_id} in {env} to rerun: s3://{bucket}/{key} does not exist.",
            hint=f"The runs of {env}: {playbook(env, 'list_runs')}",
            code="run_not_found",
        )
    if spec.get("probe"):
        raise ConfigurationError(f"Run {run_id} was a probe, which trains nothing and cannot be rerun.")
    if spec.get("resume") is not None:
        raise ConfigurationError(
            f"Run {run_id} cannot be rerun on its own: it resumed run {spec['resume']['run_id']}.",
            hint="Repeat that one.",
        )
    if spec["device"] != device:
        raise ConfigurationError(
            f"Run {run_id} trained on {spec['device']}, and training_launch_device is {device}, so it would not be "
            "the same run.",
            hint=f"Set training_launch_device={spec['device']}, and a matching training_launch_instance_types.",
        )
    environment = spec["runtime"]["python_env"]
    for archive in filter(None, (environment, environment.get("image"), environment.get("archive"))):
        if not _there(s3, bucket, archive["key"], archive["size"]):
            raise _gone(
                run_id,
                f"its environment {archive['sha256'][:12]} is no longer in the bucket (s3://{bucket}/{archive['key']})",
                "Publish it again from the commit in the run spec, or launch with the current environment.",
            )
    base: Json = spec.get("base_model") or {"name": "", "files": []}
    if is_builtin(base["name"]) and base["digest"] != described(base["name"])["digest"]:
        raise _gone(
            run_id,
            f"the weights it started from, {base['name']}, are others in this version of the package",
            f"Check out commit {spec['git_commit']}, or launch with its configuration.",
        )
    for file in base["files"]:
        if not _there(s3, bucket, base["prefix"] + file["path"], file["size"]):
            raise _gone(
                run_id,
                f"the weights it started from are no longer in the bucket (s3://{bucket}/{base['prefix']}{file['path']})",
                "Publish the model again, or launch from another one.",
            )
    return EarlierLaunch(run_id, spec)


def _gone(run_id: str, what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"Run {run_id} cannot be rerun: {what}.", hint=hint)


def _there(s3: S3Client, bucket: str, key: str, size: int) -> bool:
    """Return whether `key` exists with `size` bytes; what is in it is compared with its sha256 on the instance."""
    with aws.explained(f"look for s3://{bucket}/{key}"):
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return any(one["Key"] == key and one["Size"] == size for one in found)

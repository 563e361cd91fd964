"""Repeats a run from its own run spec: the same configuration, data, environment and weights to start from, or a refusal."""

from __future__ import annotations

from chronos_training.base_models import described, is_builtin
from chronos_training.control.launch.request import LaunchRequest
from chronos_training.control.registry.runs import checked_run_id, stored_run_spec
from chronos_training.core import aws
from chronos_training.core.aws_types import S3Client
from chronos_training.core.commands import playbook
from chronos_training.core.errors import ConfigurationError
from chronos_training.core.run_spec import RunSpec, key_of


def check_dataset(again: RunSpec, digest: str) -> None:
    """Raise ConfigurationError when the dataset that is published now has another `digest` than that of run `again`."""
    dataset = again.data
    if digest != dataset.digest:
        raise _gone(
            again.run_id,
            f"its dataset {dataset.name} (digest {dataset.digest[:12]}) is no longer in the bucket: "
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


def earlier_launch(s3: S3Client, bucket: str, env: str, run_id: str, device: str) -> RunSpec:
    """Return the run spec of run `run_id`, whose parts are all still in the bucket. ConfigurationError when it cannot be repeated on `device`."""
    spec = stored_run_spec(s3, bucket, env, checked_run_id(env, run_id))
    if spec is None:
        raise ConfigurationError(
            f"There is no run {run_id} in {env} to rerun: s3://{bucket}/{key_of(env, run_id)} does not exist.",
            hint=f"The runs of {env}: {playbook(env, 'list_runs')}",
            code="run_not_found",
        )
    if spec.probe:
        raise ConfigurationError(f"Run {run_id} was a probe, which trains nothing and cannot be rerun.")
    if spec.resume is not None:
        raise ConfigurationError(
            f"Run {run_id} cannot be rerun on its own: it resumed run {spec.resume.run_id}.",
            hint="Repeat that one.",
        )
    if spec.device != device:
        raise ConfigurationError(
            f"Run {run_id} trained on {spec.device}, and training_launch_device is {device}, so it would not be "
            "the same run.",
            hint=f"Set training_launch_device={spec.device}, and a matching training_launch_instance_types.",
        )
    environment = spec.environment
    for archive in filter(None, (environment, environment.get("image"), environment.get("archive"))):
        if not _there(s3, bucket, archive["key"], archive["size"]):
            raise _gone(
                run_id,
                f"its environment {archive['sha256'][:12]} is no longer in the bucket (s3://{bucket}/{archive['key']})",
                "Publish it again from the commit in the run spec, or launch with the current environment.",
            )
    base = spec.base_model
    if base and is_builtin(base.name) and base.digest != described(base.name)["digest"]:
        raise _gone(
            run_id,
            f"the weights it started from, {base.name}, are others in this version of the package",
            f"Check out commit {spec.git_commit}, or launch with its configuration.",
        )
    for key, size in [(f"{base.prefix}{file.path}", file.size) for file in base.files] if base else ():
        if not _there(s3, bucket, key, size):
            raise _gone(
                run_id,
                f"the weights it started from are no longer in the bucket (s3://{bucket}/{key})",
                "Publish the model again, or launch from another one.",
            )
    return spec


def _gone(run_id: str, what: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"Run {run_id} cannot be rerun: {what}.", hint=hint)


def _there(s3: S3Client, bucket: str, key: str, size: int) -> bool:
    """Return whether `key` exists with `size` bytes; what is in it is compared with its sha256 on the instance."""
    with aws.explained(f"look for s3://{bucket}/{key}"):
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return any(one["Key"] == key and one["Size"] == size for one in found)

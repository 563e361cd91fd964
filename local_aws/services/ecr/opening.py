"""Opens ECR."""

from __future__ import annotations

from moto.ecr.models import ecr_backends

from local_aws.iam import decisions
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.ecr import gaps_of_moto, images, tokens
from local_aws.services.ecr.lifecycle import Lifecycle
from local_aws.services.ecr.registry import Registry

_lifecycle: Lifecycle  # set when ECR is opened


def open_service(aws: Aws) -> None:
    """Make the registry answer. The caller holds the lock."""
    blobs = images.blobs(aws)
    if not list(aws.home.state.glob("moto.ecr.*.pickle")):
        blobs.clear()  # of an embedded AWS that ended, and whose repositories are gone
    gaps_of_moto.close_gaps(aws, blobs)
    tokens.close_gap(aws.endpoint)
    aws.planes["/v2"] = Registry(aws, blobs)
    decisions.resource_policies["ecr"] = _repository_policy
    aws.at_reset(blobs.clear)
    global _lifecycle
    _lifecycle = Lifecycle(aws)


def resume(aws: Aws) -> None:
    """After a crash of the daemon: policies run again."""
    with aws.lock:
        _lifecycle.watch()


def _repository_policy(arn: str) -> str | None:
    region, name = arn.split(":")[3], arn.partition(":repository/")[2]
    repository = ecr_backends[ACCOUNT][region].repositories.get(name) if name and region else None
    return repository.policy if repository is not None else None

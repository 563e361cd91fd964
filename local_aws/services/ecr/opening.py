"""Opens ECR."""

from __future__ import annotations

from moto.ecr.models import ecr_backends

from local_aws.iam import decisions
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.ecr import gaps_of_moto, images, tokens
from local_aws.services.ecr.registry import Registry


def open_service(aws: Aws) -> None:
    """Make the registry answer. The caller holds the lock."""
    blobs = images.blobs(aws)
    if not list(aws.home.state.glob("moto.ecr.*.pickle")):
        blobs.clear()  # of an embedded AWS that ended, and whose repositories are gone
    gaps_of_moto.close_gaps(blobs, aws.endpoint)
    tokens.close_gap(aws.endpoint)
    aws.planes["/v2"] = Registry(aws, blobs)
    decisions.resource_policies["ecr"] = _repository_policy
    aws.at_reset(blobs.clear)


def _repository_policy(arn: str) -> str | None:
    region, name = arn.split(":")[3], arn.partition(":repository/")[2]
    repository = ecr_backends[ACCOUNT][region].repositories.get(name) if name and region else None
    return repository.policy if repository is not None else None

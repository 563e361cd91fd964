"""What a request to ECR's API needs. What docker needs of the registry: local_aws/services/ecr/registry.py."""

from __future__ import annotations

import json

from moto.ecr.models import ecr_backends

from local_aws.calls import Call
from local_aws.iam.policies import Need

_OF_THE_REGISTRY = frozenset(
    [
        "DeleteRegistryPolicy", "DescribeRegistry", "GetAuthorizationToken", "GetRegistryPolicy",
        "GetRegistryScanningConfiguration", "PutRegistryPolicy", "PutRegistryScanningConfiguration",
        "PutReplicationConfiguration",
    ]
)  # fmt: skip
_OF_A_REPOSITORY = frozenset(
    [
        "BatchCheckLayerAvailability", "BatchDeleteImage", "BatchGetImage", "CompleteLayerUpload", "CreateRepository",
        "DeleteLifecyclePolicy", "DeleteRepository", "DeleteRepositoryPolicy", "DescribeImageScanFindings",
        "DescribeImages", "GetDownloadUrlForLayer", "GetLifecyclePolicy", "GetRepositoryPolicy", "InitiateLayerUpload",
        "ListImages", "PutImage", "PutImageScanningConfiguration", "PutImageTagMutability", "PutLifecyclePolicy",
        "SetRepositoryPolicy", "StartImageScan", "UploadLayerPart",
    ]
)  # fmt: skip


def needs_of(call: Call, account: str) -> list[Need] | None:
    """See local_aws.iam.needs."""
    given, action = call.parameters, call.action
    prefix = f"arn:aws:ecr:{call.region}:{account}:repository/"
    if action in _OF_THE_REGISTRY:
        return [Need(f"ecr:{action}", "*")]
    tags: dict[str, str | list[str]] = {}
    listed = json.loads(given.get("tags", "[]"))
    if listed:
        tags = {f"aws:requesttag/{tag['Key'].lower()}": tag["Value"] for tag in listed}
        tags["aws:tagkeys"] = [tag["Key"] for tag in listed]
    if action in ("ListTagsForResource", "TagResource", "UntagResource"):
        name = given["resourceArn"].partition(":repository/")[2]
        return [Need(f"ecr:{action}", given["resourceArn"], {**_tags_of(call, account, name), **tags})]
    if action == "DescribeRepositories":
        names = json.loads(given.get("repositoryNames", "[]")) or ["*"]
        return [Need(f"ecr:{action}", prefix + name, _tags_of(call, account, name)) for name in names]
    if action not in _OF_A_REPOSITORY:
        return None
    name = given["repositoryName"]
    needs = [Need(f"ecr:{action}", prefix + name, {**_tags_of(call, account, name), **tags})]
    if action == "CreateRepository" and listed:
        needs.append(Need("ecr:TagResource", prefix + name, tags))
    return needs


def _tags_of(call: Call, account: str, name: str) -> dict[str, str | list[str]]:
    return repository_tags(account, call.region, name)


def repository_tags(account: str, region: str, name: str) -> dict[str, str | list[str]]:
    """Return the tags of a repository as condition keys."""
    backend = ecr_backends[account][region]
    repository = backend.repositories.get(name)
    tags = backend.tagger.get_tag_dict_for_resource(repository.arn) if repository else {}
    return {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}

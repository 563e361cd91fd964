"""Which images a deployment takes that names a tag."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chronos_training.control.volatility import release
from chronos_training.core.errors import ConfigurationError

REPOSITORIES = {"batch": "volatility-dev-batch", "api": "volatility-dev-api"}
BEGIN = datetime(2026, 11, 2, tzinfo=timezone.utc)


class Registry:
    """ECR with images by repository: tags in the order in which they were pushed."""

    def __init__(self, **tags: list[str]) -> None:
        self._tags = {f"volatility-dev-{target}": names for target, names in tags.items()}

    def describe_repositories(self, repositoryNames: list[str]) -> dict[str, Any]:
        [name] = repositoryNames
        if name not in self._tags:
            raise ClientError({"Error": {"Code": "RepositoryNotFoundException", "Message": ""}}, "DescribeRepositories")
        return {"repositories": [{"repositoryUri": f"registry/{name}"}]}

    def get_paginator(self, _: str) -> Registry:
        return self

    def paginate(self, repositoryName: str) -> list[dict[str, Any]]:
        images = [
            {"imageTags": [tag], "imageDigest": f"sha256:{tag}", "imagePushedAt": BEGIN + timedelta(hours=hour)}
            for hour, tag in enumerate(self._tags[repositoryName])
        ]
        return [{"imageDetails": [*images, {"imageDigest": "sha256:no-tag", "imagePushedAt": BEGIN}]}]


def images(tag: str) -> dict[str, str]:
    return {target: f"registry/{name}@sha256:{tag}" for target, name in REPOSITORIES.items()}


def find(registry: Registry, tag: str, published: str = "three") -> Any:
    return release.find(registry, "dev", REPOSITORIES, tag, images(published))


def test_images_of_a_tag_and_those_before() -> None:
    registry = Registry(batch=["one", "two", "three"], api=["one", "two", "three"])
    assert find(registry, "one") == ("one", images("one"))
    assert find(registry, "previous") == ("two", images("two"))
    assert find(registry, "previous", published="two") == ("one", images("one"))


def test_a_tag_that_one_repository_lacks_is_none() -> None:
    registry = Registry(batch=["one", "two", "three"], api=["one", "three"])
    assert find(registry, "previous")[0] == "one"
    with pytest.raises(ConfigurationError, match=r"no images two\. There are, the newest first: three, one\."):
        find(registry, "two")


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(ConfigurationError, match=r"Environment dev has no images yet\. Publish them first: "):
        find(Registry(batch=["one"]), "previous")
    with pytest.raises(ConfigurationError, match=r"no images from before the last ones\. Deploy a commit's"):
        find(Registry(batch=["three"], api=["three"]), "previous")
    # What was published last is there no more: which ones are before it is not known.
    with pytest.raises(ConfigurationError, match="of: two, one"):
        find(Registry(batch=["one", "two"], api=["one", "two"]), "previous")

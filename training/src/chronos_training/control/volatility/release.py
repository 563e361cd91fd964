"""Which of the published images are deployed: another tag than the last one, to go back to what ran before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from chronos_training.core import aws, commands
from chronos_training.core.errors import ConfigurationError, TrainingError

PREVIOUS = "previous"
"""Stands for the images that were pushed before the last published ones."""
_SHOWN = 5


def find(
    ecr: Any, env: str, repositories: Mapping[str, str], tag: str, published: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Return a tag and its images, by target. ConfigurationError when a repository (`repositories`: target to name) lacks it.

    `published` are the references by digest of what was published last.
    """
    stored = {target: _images(ecr, env, name) for target, name in repositories.items()}
    common = set.intersection(*(set(images) for images in stored.values()))
    newest_first = sorted(common, key=lambda one: max(images[one][1] for images in stored.values()), reverse=True)
    if tag == PREVIOUS:
        tag = _before(env, newest_first, stored, published)
    elif tag not in common:
        there = (
            f"There are, the newest first: {', '.join(newest_first[:_SHOWN])}." if newest_first else "There are none."
        )
        raise ConfigurationError(f"Environment {env} has no images {tag}.", hint=there)
    return tag, {target: images[tag][0] for target, images in stored.items()}


def _before(
    env: str,
    newest_first: list[str],
    stored: Mapping[str, dict[str, tuple[str, datetime]]],
    published: Mapping[str, str],
) -> str:
    last = next(
        (tag for tag in newest_first if {target: images[tag][0] for target, images in stored.items()} == published), ""
    )
    older = newest_first[newest_first.index(last) + 1 :] if last else []
    if not older:
        raise ConfigurationError(
            f"Environment {env} has no images from before the last ones.",
            hint=f"Deploy a commit's by its tag, of: {', '.join(newest_first[:_SHOWN])}." if newest_first else "",
        )
    return older[0]


def _images(ecr: Any, env: str, name: str) -> dict[str, tuple[str, datetime]]:
    """Return the reference by digest, and when it was pushed, of each tag of a repository."""
    try:
        with aws.explained(f"look at the images of {name}"):
            [repository] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
            pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
            images = [one for page in pages for one in page["imageDetails"]]
    except TrainingError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "RepositoryNotFoundException":
            raise ConfigurationError(
                f"Environment {env} has no images yet.",
                hint=f"Publish them first: {commands.playbook(env, 'publish_images')}",
            ) from error
        raise
    return {
        tag: (f"{repository['repositoryUri']}@{one['imageDigest']}", one["imagePushedAt"])
        for one in images
        for tag in one.get("imageTags", [])
    }

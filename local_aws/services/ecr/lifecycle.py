"""Lifecycle policies run once a day by AWS's clock; moto only keeps them.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends

from local_aws.iam.conditions import matches
from local_aws.iam.principals import ACCOUNT
from local_aws.services.aws import Aws
from local_aws.services.patching import replace

log = logging.getLogger("local_aws.ecr")

DAY = 86400.0  # AWS expires images within 24 hours


class Lifecycle:
    """One timer for all repositories, as soon as one of them has a policy."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._set = False
        put_lifecycle_policy = ECRBackend.put_lifecycle_policy

        def put_and_run(backend: ECRBackend, *words: Any, **named: Any) -> Any:
            answer = put_lifecycle_policy(backend, *words, **named)
            self.watch()
            return answer

        replace(ECRBackend, put_lifecycle_policy=put_and_run)
        aws.at_reset(self._forget)

    def watch(self) -> None:
        """Run from now on. The caller holds the lock."""
        if not self._set and any(repository.lifecycle_policy for repository in _repositories()):
            self._set = True
            self._aws.clock.call_after(DAY, "lifecycle policies of ECR", self._run)

    def _forget(self) -> None:
        self._set = False

    def _run(self) -> None:
        with self._aws.lock:
            self._set = False
            now = self._aws.clock.now()
            for repository in _repositories():
                if not repository.lifecycle_policy:
                    continue
                rules = json.loads(repository.lifecycle_policy)["rules"]
                for image in expired(repository.images, rules, now):
                    digest = image.get_image_digest()
                    log.info("%s of %s expires", digest, repository.name)
                    backend = ecr_backends[ACCOUNT][repository.region_name]
                    backend.batch_delete_image(repository.name, None, [{"imageDigest": digest}])
            self.watch()


def _repositories() -> list[Repository]:
    return [
        repository
        for backend in list(ecr_backends[ACCOUNT].values())
        for repository in list(backend.repositories.values())
    ]


def expired(images: Iterable[Image], rules: list[dict[str, Any]], now: float) -> list[Image]:
    """Return the images that the rules expire. An image belongs to the first rule whose tags fit, by priority."""
    every = list(images)
    indexed = {part["digest"] for image in every for part in json.loads(image.image_manifest).get("manifests", [])}
    # What an index names goes after the index.
    free = [image for image in every if image.get_image_digest() not in indexed]
    found: list[Image] = []
    earlier: list[Image] = []
    for rule in sorted(rules, key=lambda one: int(one["rulePriority"])):
        selection = rule["selection"]
        mine = [image for image in free if _fits(image, selection)]
        mine.sort(key=lambda image: image.image_pushed_at, reverse=True)
        number = int(selection["countNumber"])
        if selection["countType"] == "imageCountMoreThan":
            over = mine[number:]
        else:
            over = [image for image in mine if now - image.image_pushed_at > number * DAY]
        found += [image for image in over if image not in earlier]
        earlier += mine
    return found


def _fits(image: Image, selection: dict[str, Any]) -> bool:
    status, tags = selection["tagStatus"], image.image_tags
    if status == "any":
        return True
    if status == "untagged":
        return not tags
    patterns = [*selection.get("tagPatternList", []), *(f"{one}*" for one in selection.get("tagPrefixList", []))]
    return bool(tags) and all(any(matches(tag, pattern) for tag in tags) for pattern in patterns)

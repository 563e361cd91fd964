"""Lifecycle policies, played by AWS's clock."""

from __future__ import annotations

import json

import pytest

from local_aws.testing import EmbeddedAws

from .registry_client import RegistryClient

DAY = 86400


def _policy(*rules: tuple[dict, dict]) -> str:
    return json.dumps(
        {
            "rules": [
                {"rulePriority": place, "selection": {**selection, **count}, "action": {"type": "expire"}}
                for place, (selection, count) in enumerate(rules, start=1)
            ]
        }
    )


def _newest(number: int) -> dict:
    return {"countType": "imageCountMoreThan", "countNumber": number}


def _tags(aws: EmbeddedAws) -> list[str]:
    images = aws.client("ecr").describe_images(repositoryName="api")["imageDetails"]
    return sorted(",".join(image.get("imageTags", ["-"])) for image in images)


@pytest.fixture
def client(aws: EmbeddedAws) -> RegistryClient:
    aws.client("ecr").create_repository(repositoryName="api")
    return RegistryClient(aws)


def test_the_newest_releases_stay_and_what_no_tag_names_goes_after_days(aws: EmbeddedAws, client: RegistryClient):
    for number in range(4):
        client.push("api", f"release-{number}", client.manifest("api", f"release {number}".encode()))
        aws.advance(60)
    for layer in (b"old", b"new"):
        client.push("api", "latest", client.manifest("api", layer))
    assert _tags(aws) == ["-", "latest", "release-0", "release-1", "release-2", "release-3"]
    text = _policy(
        ({"tagStatus": "tagged", "tagPrefixList": ["release-"]}, _newest(2)),
        ({"tagStatus": "untagged"}, {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 3}),
    )
    aws.client("ecr").put_lifecycle_policy(repositoryName="api", lifecyclePolicyText=text)
    aws.advance(DAY)
    assert _tags(aws) == ["-", "latest", "release-2", "release-3"]
    aws.advance(3 * DAY)
    assert _tags(aws) == ["latest", "release-2", "release-3"]


def test_an_image_belongs_to_the_first_rule_that_fits(aws: EmbeddedAws, client: RegistryClient):
    for tag in ("kept", "a", "b"):
        client.push("api", tag, client.manifest("api", tag.encode()))
        aws.advance(60)
    text = _policy(
        ({"tagStatus": "tagged", "tagPatternList": ["kep*"]}, _newest(5)), ({"tagStatus": "any"}, _newest(1))
    )
    aws.client("ecr").put_lifecycle_policy(repositoryName="api", lifecyclePolicyText=text)
    aws.advance(DAY)
    assert _tags(aws) == ["b", "kept"]


def test_rules_that_contradict_each_other_are_refused(aws: EmbeddedAws, client: RegistryClient):
    ecr = aws.client("ecr")
    text = _policy(({"tagStatus": "any"}, _newest(1)), ({"tagStatus": "untagged"}, _newest(1)))
    with pytest.raises(ecr.exceptions.InvalidParameterException, match="lowest priority"):
        ecr.put_lifecycle_policy(repositoryName="api", lifecyclePolicyText=text)
    with pytest.raises(ecr.exceptions.InvalidTagParameterException):
        ecr.create_repository(repositoryName="other", tags=[{"Key": "team&", "Value": "x"}])

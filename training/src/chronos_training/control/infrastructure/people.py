"""The customer managed policies for people, as they are; the role training_access makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core import aws

Json = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """A managed policy: the document of the version in force, and its tags."""

    document: Json
    tags: dict[str, str] = field(default_factory=dict)


def describe(iam: Any, names: Iterable[str]) -> dict[str, Policy]:
    """Return those of the account's own policies that exist, by name. TrainingError when IAM cannot be read."""
    with aws.explained("read the policies for people"):
        pages = iam.get_paginator("list_policies").paginate(Scope="Local")
        listed = {policy["PolicyName"]: policy for page in pages for policy in page["Policies"]}
        return {name: _described(iam, listed[name]) for name in names if name in listed}


def _described(iam: Any, policy: Json) -> Policy:
    arn, version = policy["Arn"], policy["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    tags = iam.list_policy_tags(PolicyArn=arn)["Tags"]
    return Policy(document, {tag["Key"]: tag["Value"] for tag in tags})

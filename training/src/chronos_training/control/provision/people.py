"""The customer managed user policies, as they are; the role training_access makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chronos_training.core import aws
from chronos_training.core.aws_types import IAMClient, STSClient

Json = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """A managed policy: the document of the version in force, its tags, and how many users, groups and roles have it."""

    document: Json
    tags: dict[str, str] = field(default_factory=dict)
    attachments: int = 0


def describe(iam: IAMClient, sts: STSClient, names: Iterable[str]) -> dict[str, Policy]:
    """Return those of the account's own policies that exist, by name. TrainingError when IAM cannot be read.

    Each by its ARN: the list of all is behind by some seconds when a policy was just made, and long in a large account.
    """
    with aws.explained("read the user policies"):
        account = sts.get_caller_identity()["Account"]
        found = {}
        for name in names:
            arn = f"arn:aws:iam::{account}:policy/{name}"
            try:
                policy = iam.get_policy(PolicyArn=arn)["Policy"]
            except iam.exceptions.NoSuchEntityException:
                continue
            version: Any = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
            tags = {tag["Key"]: tag["Value"] for tag in iam.list_policy_tags(PolicyArn=arn)["Tags"]}
            found[name] = Policy(version["Document"], tags, policy.get("AttachmentCount", 0))
        return found

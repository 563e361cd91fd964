"""Opens Secrets Manager: resource policies decide, and secrets are deleted when their recovery window is over."""

from __future__ import annotations

from local_aws.iam import decisions
from local_aws.services.aws import Aws
from local_aws.services.secretsmanager import deletions
from local_aws.services.secretsmanager.secrets import policy_of


def open_service(aws: Aws) -> None:
    decisions.resource_policies["secretsmanager"] = policy_of
    deletions.close_gap(aws)


def resume(aws: Aws) -> None:
    deletions.resume(aws)

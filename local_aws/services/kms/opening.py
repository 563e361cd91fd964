"""Opens KMS: key policies decide, and keys that are disabled or deleted can no longer be used."""

from __future__ import annotations

from local_aws.iam import decisions
from local_aws.services.aws import Aws
from local_aws.services.kms import arns, deletions, in_s3, states
from local_aws.services.kms.keys import policy_of


def open_service(aws: Aws) -> None:
    decisions.resource_policies["kms"] = policy_of
    states.close_gap()
    in_s3.close_gap()
    deletions.close_gap(aws)
    arns.close_gap()  # around the deletions


def resume(aws: Aws) -> None:
    deletions.resume(aws)

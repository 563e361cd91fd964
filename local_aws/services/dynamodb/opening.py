"""Opens DynamoDB: items are deleted when their time to live is over."""

from __future__ import annotations

from local_aws.services.aws import Aws
from local_aws.services.dynamodb import expiry


def open_service(aws: Aws) -> None:
    expiry.close_gap(aws)


def resume(aws: Aws) -> None:
    expiry.resume(aws)

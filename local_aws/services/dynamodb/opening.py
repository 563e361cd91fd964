"""Opens DynamoDB: items are deleted when their time to live is over, and a table has an id."""

from __future__ import annotations

from local_aws.services.aws import Aws
from local_aws.services.dynamodb import expiry, table_id


def open_service(aws: Aws) -> None:
    expiry.close_gap(aws)
    table_id.close_gap()


def resume(aws: Aws) -> None:
    expiry.resume(aws)

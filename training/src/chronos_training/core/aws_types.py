"""Types of the AWS clients and of what they take, for mypy alone: no program needs the stubs that define them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef as Filter
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef as ObjectIdentifier
    from mypy_boto3_scheduler import EventBridgeSchedulerClient as SchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient
else:
    EC2Client = Filter = IAMClient = S3Client = ObjectIdentifier = SchedulerClient = SQSClient = SSMClient = (
        STSClient
    ) = Any

__all__ = [
    "EC2Client",
    "Filter",
    "IAMClient",
    "ObjectIdentifier",
    "S3Client",
    "SQSClient",
    "SSMClient",
    "STSClient",
    "SchedulerClient",
]

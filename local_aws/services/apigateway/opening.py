"""API Gateway opens with the first request to it, or to an API."""

from __future__ import annotations

from local_aws.services.apigateway import gaps
from local_aws.services.apigateway.limits import Limits
from local_aws.services.apigateway.plane import PREFIX, Plane
from local_aws.services.apigateway.records import Records
from local_aws.services.aws import Aws


def open_service(aws: Aws) -> None:
    """See local_aws.services."""
    gaps.close_gaps()
    limits = Limits(aws.clock)
    aws.planes[PREFIX] = Plane(aws, limits, Records(aws))
    aws.at_reset(limits.forget)

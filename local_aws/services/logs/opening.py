"""Opens CloudWatch Logs."""

from __future__ import annotations

from local_aws.services.aws import Aws


def open_service(aws: Aws) -> None:
    """See local_aws.services."""
    from local_aws.services.logs import arrivals, kept, metric_filters, reading, subscriptions

    arrivals.install(aws)
    kept.install()
    metric_filters.install()
    reading.install()
    subscriptions.install(aws)

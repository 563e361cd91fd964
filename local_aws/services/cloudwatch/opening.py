"""Opens CloudWatch."""

from __future__ import annotations

from local_aws.services.aws import Aws


def open_service(aws: Aws) -> None:
    """See local_aws.services."""
    from moto.cloudwatch import models

    from local_aws.services.cloudwatch import alarm_requests, alarms, dashboards, queries, series
    from local_aws.services.patching import replace

    replace(models.CloudWatchBackend, put_metric_data=series.put_metric_data)
    queries.install()
    dashboards.install()
    alarm_requests.install(alarms.start(aws))


def resume(aws: Aws) -> None:
    """See local_aws.services."""
    from local_aws.services.cloudwatch import alarms

    alarms.watch_all(aws)
